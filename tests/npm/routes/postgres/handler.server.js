import postgres from "postgres";

export default async () => {
  const sql = postgres({ host: "127.0.0.1", port: Number(process.env.CLOSED_PORT), username: "me", max: 1, connect_timeout: 2, backoff: false });
  const failed = await sql`SELECT ${1}`.catch((error) => error.code ?? error.message);
  await sql.end({ timeout: 0 });
  return { failed };
};
