/**
 * The examples: where each is, what it shows, and which of its files `/source` shows. Nothing else can be read there.
 * @type {{ path: string, shows: string, files: string[] }[]}
 */
export const EXAMPLES = [
  example('/board', 'a shared board: who is there, and where they point', 'handler.js', 'page.html', '../public/board.js', '../public/board.css'),
  example('/hello', 'data in, JSON out'),
  example('/steps', 'answer now, replace the answer later'),
  example('/progress', 'a generator: every yield is a frame'),
  example('/replace', 'a live response that is replaced by a timer'),
  example('/skeleton', 'state that mutates in place: a skeleton that fills'),
  example('/callback', 'a callback whose plain assignments travel'),
  example('/generator', 'values, Responses and a redirect from one generator'),
  example('/live', 'a live function: it goes on after it has returned'),
  example('/redirect', 'POST: work first, then send the user on'),
  example('/done', 'where the redirects lead'),
  example('/confirm', 'DELETE: ask the user in the middle of a request'),
  example('/dialogs', "your own dialogs in place of the browser's"),
  example('/messages', 'messages both ways: the handler sees you type'),
  example('/chat', 'a channel: everybody in it hears the others', 'handler.server.js', 'handler.client.js', 'page.html'),
  example('/proxy', "a handler that listens in on another one's line", 'handler.js', 'upstream/handler.js', 'page.html'),
  example('/posts', 'a database query whose rows stay current', 'handler.server.js', 'page.html'),
  example('/typescript', 'the same in TypeScript', 'handler.ts', 'page.html'),
];

/** @param {string} path @param {string} shows @param {string[]} files */
function example(path, shows, ...files) {
  return { path, shows, files: files.length > 0 ? files : ['handler.js', 'page.html'] };
}
