import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/sqlite-proxy";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { client } from "liveline:sql";

const people = sqliteTable("people", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  name: text("name").notNull(),
});

/** Drizzle's statements, run by liveline:sql. */
const db = drizzle(async (statement, parameters, method) => {
  const result = await client.query(statement, parameters);
  const rows = result.rows.map((row) => Object.values(row));
  return { rows: method === "get" ? rows[0] : rows };
});

export default async () => {
  await db.run(sql`CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL)`);
  const added = await db.insert(people).values([{ name: "Ada" }, { name: "Grace" }]).returning();
  await db.update(people).set({ name: "Ada L." }).where(eq(people.id, 1));
  return { added: added.length, one: await db.select().from(people).where(eq(people.id, 1)).get(), all: await db.select().from(people) };
};
