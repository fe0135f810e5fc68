const EXAMPLES = {
  "/hello": "data in, JSON out",
  "/steps": "answer now, replace the answer later",
  "/progress": "a generator: every yield is a frame",
  "/replace": "a live response that is replaced by a timer",
  "/skeleton": "state that mutates in place: a skeleton that fills",
  "/callback": "a callback whose plain assignments travel",
  "/generator": "values, Responses and a redirect from one generator",
  "/redirect": "POST: work first, then send the user on",
  "/done": "where the redirects lead",
  "/confirm": "DELETE: ask the user in the middle of a request",
  "/dialogs": "your own dialogs in place of the browser's",
  "/messages": "messages both ways: the handler sees you type",
  "/chat": "a channel: everybody in it hears the others",
  "/proxy": "a handler that listens in on another one's line",
  "/posts": "a database query whose rows stay current",
  "/typescript": "the same in TypeScript",
};

/** Lists the examples; everything below the root answers for itself. */
export async function GET(event, next) {
  if (next.stepname) return await next();
  return { examples: Object.entries(EXAMPLES).map(([path, shows]) => ({ path, shows })) };
}

/** Other methods are for the examples alone. */
export default async function (event, next) {
  return await next();
}
