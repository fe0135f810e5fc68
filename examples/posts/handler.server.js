import { client } from 'liveline:sql';

await client.exec(`
  CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    date_created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
  );
  INSERT OR IGNORE INTO posts (id, title, date_created) VALUES
    (1, 'An old post', '2022-12-31'),
    (2, 'Hello, world', '2024-03-01'),
    (3, 'The second post', '2024-03-02');
`);

/**
 * The posts, live: the list grows as rows are inserted.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  const result = await client.query(
    `SELECT * FROM posts WHERE date_created > '2023-01-01'`,
    { live: true, signal: event.signal }
  );

  event.waitUntilNavigate(); // Hold down the event lifecycle

  return { posts: result.rows };
}

/**
 * Adds a post; the body is JSON with a title, or a form.
 * @type {import('@webqit/webflo').Handler}
 */
export async function POST(event) {
  const { request } = event;
  const isJson = request.headers.get('content-type')?.includes('json');
  const { title } = isJson ? await request.json() : Object.fromEntries(await request.formData());
  if (typeof title !== 'string' || title.trim() === '') {
    return Response.json({ error: 'A post needs a title.' }, { status: 422 });
  }

  const { lastInsertRowid } = await client.query('INSERT INTO posts (title) VALUES (?)', [title.trim()]);
  return Response.json({ id: lastInsertRowid }, { status: 201 });
}
