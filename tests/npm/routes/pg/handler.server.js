import pg from "pg";

export default async () => {
  const client = new pg.Client({ host: "127.0.0.1", port: Number(process.env.CLOSED_PORT), user: "me", database: "none" });
  const failed = await client.connect().catch((error) => error.code ?? error.message);
  return { failed, quoted: client.escapeIdentifier('a"b'), types: pg.types.builtins.INT4, array: pg.types.getTypeParser(1007)("{1,2}") };
};
