import pg from "pg";

const connectionString = process.env.DATABASE_URL;
export const pool = new pg.Pool({ connectionString, max: 4 });
// Without a listener, the end of an idle connection would be an uncaught error.
pool.on("error", () => {});

export async function add(a, b) {
  const { rows } = await pool.query("SELECT $1::int + $2::int AS sum", [a, b]);
  return rows[0].sum;
}

export async function insert(name, fails) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO names VALUES ($1)", [name]);
    if (fails) throw new Error("changed my mind");
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

export async function names() {
  const { rows } = await pool.query("SELECT name FROM names ORDER BY name");
  return rows.map((row) => row.name);
}

export async function text(length) {
  const { rows } = await pool.query("SELECT repeat('0123456789', $1::int / 10) AS text", [length]);
  return rows[0].text;
}

export async function follow(listener) {
  for (;;) {
    const client = new pg.Client({ connectionString });
    const end = new Promise((resolve) => client.once("end", resolve));
    client.on("error", () => {});
    client.on("notification", (message) => listener(message.payload));
    try {
      await client.connect();
      await client.query("LISTEN news");
      await end;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export const wrong = () => new pg.Pool({ connectionString: process.env.WRONG_DATABASE_URL }).query("SELECT 1");
export const missing = () => new pg.Pool({ connectionString: "postgres://ann@127.0.0.1:1/x" }).query("SELECT 1");
export const secure = () => new pg.Pool({ connectionString, ssl: true }).query("SELECT 1");

/** Its connections are closed after a moment without a query. */
const idling = new pg.Pool({ connectionString, idleTimeoutMillis: 10, application_name: "idling" });

export async function release() {
  const client = await idling.connect();
  await client.query("SELECT 1");
  client.release();
}
