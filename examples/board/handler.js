import { client } from 'liveline:sql';

const NAMES = ['Ada', 'Grace', 'Alan', 'Barbara', 'Edsger', 'Radia', 'Donald', 'Margaret', 'Dennis', 'Frances'];
const COLOURS = 6;
const MAX_NAME = 20;
const MAX_NOTES = 60;
const MAX_TEXT = 280;

// `x` and `y` are from 0 to 1, of the room that a board of any size has.
await client.exec(`
  CREATE TABLE IF NOT EXISTS board_notes (
    id TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    z INTEGER NOT NULL,
    author TEXT NOT NULL,
    colour INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS board_visits (number INTEGER PRIMARY KEY);
  INSERT OR IGNORE INTO board_notes SELECT * FROM (VALUES
    ('welcome', 'Drag a note with a finger, the mouse or the arrow keys. Click it to write.', 0.1, 0.15, 1, 'Ada', 0),
    ('windows', 'Open this page in a second window: everybody sees the same board.', 0.65, 0.45, 2, 'Grace', 1)
  ) WHERE NOT EXISTS (SELECT 1 FROM board_notes);
`);

/**
 * The board, live. Its notes are the rows of a query, its visitors the members of a channel. Pointers and dragged notes
 * are messages in the channel, which are not stored.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const me = await introduce(event.url.searchParams);
  const { rows: notes } = await client.query('SELECT * FROM board_notes ORDER BY rowid', {
    live: true,
    signal: event.signal,
  });
  const { channel } = event.client.enterChannel('board', {
    presence: me,
    allow: ['cursor', 'drag'],
    // A page sends the position of its pointer; the server adds the sender.
    resolveData: (data) => ({ ...data, who: me }),
  });
  const board = { me, people: [me], notes };

  const count = () => Observer.set(board, 'people', channel.members().map(({ data }) => data));
  for (const type of ['joins', 'leaves', 'joins-leaves']) channel.addEventListener(type, count);
  event.client.readyStateChange('open').then(count);

  event.client.addRequestListener('add', ({ data }) => add(me, data));
  event.client.addEventListener('write', ({ data }) => change(data.id, { text: textOf(data.text) }));
  event.client.addEventListener('move', ({ data }) => change(data.id, { x: placeOf(data.x), y: placeOf(data.y) }));
  event.client.addEventListener('remove', ({ data }) => remove(data.id));

  event.waitUntilNavigate(); // Hold down the event lifecycle
  return board;
}

/**
 * The visitor's name and colour: from the address, or else those that come next.
 * @param {URLSearchParams} params
 */
async function introduce(params) {
  const { lastInsertRowid } = await client.query('INSERT INTO board_visits DEFAULT VALUES');
  const visit = Number(lastInsertRowid) - 1;
  const name = params.get('name')?.trim().slice(0, MAX_NAME) || NAMES[visit % NAMES.length];
  const colour = Number.parseInt(params.get('colour') ?? `${visit}`) || 0;
  return { id: crypto.randomUUID(), name, colour: Math.abs(colour) % COLOURS };
}

/**
 * Adds a note on top of the others. Returns its id, or null where the board is full.
 * @param {{ name: string, colour: number }} author
 * @param {{ x: unknown, y: unknown }} at
 */
async function add(author, at) {
  const id = crypto.randomUUID();
  const { changes } = await client.query(
    `INSERT INTO board_notes
     SELECT ?, '', ?, ?, (SELECT coalesce(max(z), 0) + 1 FROM board_notes), ?, ?
     WHERE (SELECT count(*) FROM board_notes) < ?`,
    [id, placeOf(at.x), placeOf(at.y), author.name, author.colour, MAX_NOTES]
  );
  return changes === 1 ? id : null;
}

/**
 * Changes a note, and puts it on top.
 * @param {unknown} id
 * @param {{ text?: string, x?: number, y?: number }} values
 */
async function change(id, { text, x, y }) {
  await client.query(
    `UPDATE board_notes
     SET text = coalesce(?, text), x = coalesce(?, x), y = coalesce(?, y),
       z = (SELECT max(z) FROM board_notes) + 1
     WHERE id = ?`,
    [text ?? null, x ?? null, y ?? null, String(id)]
  );
}

/** @param {unknown} id */
async function remove(id) {
  await client.query('DELETE FROM board_notes WHERE id = ?', [String(id)]);
}

/** @param {unknown} value */
function placeOf(value) {
  return typeof value === 'number' ? Math.min(Math.max(value, 0), 1) : 0.5;
}

/** @param {unknown} value */
function textOf(value) {
  return String(value ?? '').slice(0, MAX_TEXT);
}
