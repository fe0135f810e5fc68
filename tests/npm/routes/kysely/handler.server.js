import { Kysely } from "kysely";
import { LivelineDialect } from "../../kysely_dialect.js";

const db = new Kysely({ dialect: new LivelineDialect() });

export default async () => {
  await db.schema.createTable("person").ifNotExists()
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("name", "text", (column) => column.notNull())
    .execute();
  const added = await db.insertInto("person").values([{ name: "Ada" }, { name: "Grace" }]).returningAll().execute();
  const changed = await db.updateTable("person").set({ name: "Ada L." }).where("id", "=", 1).executeTakeFirst();
  await db.transaction().execute(async (transaction) => {
    await transaction.insertInto("person").values({ name: "Joan" }).execute();
  });
  const undone = await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom("person").execute();
    throw new Error("rolled back");
  }).catch((error) => error.message);
  const tables = await db.introspection.getTables();
  return {
    added,
    changed: Number(changed.numUpdatedRows),
    undone,
    names: (await db.selectFrom("person").select("name").orderBy("id").execute()).map(({ name }) => name),
    columns: tables.find(({ name }) => name === "person").columns.map(({ name }) => name),
  };
};
