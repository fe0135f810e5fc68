import postgres from "postgres";

const url = process.env.DATABASE_URL;
const sql = postgres(url, { max: 4, backoff: () => 0.05, onnotice() {} });

export async function add(a, b) {
  const [{ sum }] = await sql`SELECT ${a}::int + ${b}::int AS sum`;
  return sum;
}

export async function insert(name, fails) {
  await sql.begin(async (sql) => {
    await sql`INSERT INTO names VALUES (${name})`;
    if (fails) throw new Error("changed my mind");
  });
}

export async function names() {
  const rows = await sql`SELECT name FROM names ORDER BY name`;
  return rows.map((row) => row.name);
}

export async function text(length) {
  const [{ text }] = await sql`SELECT repeat('0123456789', ${length}::int / 10) AS text`;
  return text;
}

export const follow = (listener) => sql.listen("news", listener);

export const wrong = async () => await postgres(process.env.WRONG_DATABASE_URL)`SELECT 1`;
export const missing = async () => await postgres("postgres://ann@127.0.0.1:1/x")`SELECT 1`;
export const secure = async () => await postgres(url, { ssl: true })`SELECT 1`;

/** Its connections are closed after a moment without a query. */
const idling = postgres(url, { idle_timeout: 0.01, connection: { application_name: "idling" } });

export async function release() {
  const reserved = await idling.reserve();
  await reserved`SELECT 1`;
  reserved.release();
}
