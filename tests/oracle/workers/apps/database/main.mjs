// Each request `/CASE` runs a case on the database, in tables of its own.

import { answer, attempt, exactly } from "./shared/show.mjs";

async function people(DB, table) {
  await DB.prepare(`CREATE TABLE IF NOT EXISTS ${table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age REAL, data BLOB)`).run();
  await DB.prepare(`DELETE FROM ${table}`).run();
  await DB.batch([["Ada", 36], ["Bob", 20.5], ["Cy", null]].map((row) => DB.prepare(`INSERT INTO ${table} (name, age) VALUES (?, ?)`).bind(...row)));
}

/** A result without what depends on time and file sizes. */
function plain({ meta, ...result }) {
  const { duration, size_after, served_by, served_by_region, served_by_primary, timings, total_attempts, ...kept } = meta;
  return { ...result, meta: { ...kept, duration: typeof duration, size_after: typeof size_after } };
}

const cases = {
  async reading({ DB }) {
    await people(DB, "reading");
    const statement = DB.prepare("SELECT name, age FROM reading ORDER BY id");
    return {
      all: plain(await statement.all()),
      run: plain(await statement.run()),
      first: await statement.first(),
      firstColumn: await statement.first("age"),
      firstOfNone: await DB.prepare("SELECT name FROM reading WHERE id = 99").first(),
      firstColumnOfNone: await DB.prepare("SELECT name FROM reading WHERE id = 99").first("name"),
      raw: await statement.raw(),
      rawNames: await statement.raw({ columnNames: true }),
      rawOfNone: await DB.prepare("SELECT name FROM reading WHERE id = 99").raw({ columnNames: true }),
      none: plain(await DB.prepare("SELECT name FROM reading WHERE id = 99").all()),
      doubled: await DB.prepare("SELECT 1 AS a, 2 AS a").raw(),
      missingColumn: await exactly(() => statement.first("nothing")),
    };
  },

  async writing({ DB }) {
    await people(DB, "writing");
    return {
      insert: plain(await DB.prepare("INSERT INTO writing (name, age) VALUES ('Di', 1), ('Ed', 2)").run()),
      update: plain(await DB.prepare("UPDATE writing SET age = 9 WHERE id < 3").run()),
      delete: plain(await DB.prepare("DELETE FROM writing WHERE id = 1").run()),
      nothingChanged: plain(await DB.prepare("DELETE FROM writing WHERE id = 99").run()),
      returning: plain(await DB.prepare("INSERT INTO writing (name) VALUES ('Fa') RETURNING id, name").all()),
      returningFirst: await DB.prepare("UPDATE writing SET age = 1 WHERE name = 'Fa' RETURNING age").first("age"),
      create: plain(await DB.prepare("CREATE TABLE IF NOT EXISTS made (x)").run()),
      all: plain(await DB.prepare("INSERT INTO writing (name) VALUES ('Gi')").all()),
      raw: await DB.prepare("INSERT INTO writing (name) VALUES ('Ha')").raw(),
    };
  },

  async binding({ DB }) {
    const through = (...values) => exactly(async () => (await DB.prepare(`SELECT ${values.map((_, at) => `? AS v${at}, typeof(?${at + 1}) AS t${at}`).join(", ")}`).bind(...values).raw())[0]);
    const one = async (value) => exactly(async () => (await DB.prepare("SELECT ?1 AS v, typeof(?1) AS t").bind(value).raw())[0]);
    return {
      integer: await one(5), real: await one(1.5), big: await one(2 ** 53), text: await one("t\u00e9xt"), null: await one(null), true: await one(true), false: await one(false),
      bytes: await one(new Uint8Array([1, 2, 255])), buffer: await one(new Uint8Array([3]).buffer), emptyText: await one(""),
      undefined: await one(undefined), bigint: await one(5n), date: await one(new Date(0)), object: await one({}), array: await one([1, 2]), notANumber: await one(NaN), function: await one(() => {}), symbol: await one(Symbol("x")),
      several: await through(1, "two"),
      numbered: await exactly(() => DB.prepare("SELECT ?2 AS a, ?1 AS b, ?2 AS c").bind("one", "two").first()),
      gap: await exactly(() => DB.prepare("SELECT ?3 AS a").bind(1, 2, 3).first()),
      tooFew: await exactly(() => DB.prepare("SELECT ?, ?").bind(1).first()),
      tooMany: await exactly(() => DB.prepare("SELECT ?").bind(1, 2).first()),
      noneBound: await exactly(() => DB.prepare("SELECT ? AS a").first()),
      named: await exactly(() => DB.prepare("SELECT :a AS a").bind("x").first()),
      reused: await exactly(async () => {
        const statement = DB.prepare("SELECT ? AS a");
        const [one_, two] = [statement.bind(1), statement.bind(2)];
        return [await one_.first("a"), await two.first("a"), one_ === two, statement === one_];
      }),
      rebound: await exactly(() => DB.prepare("SELECT ? AS a").bind(1).bind(2).first("a")),
    };
  },

  async types({ DB }) {
    return DB.prepare("SELECT 9007199254740991 AS safe, 9007199254740993 AS big, 1.0 AS real, x'0102' AS blob, NULL AS missing, '' AS empty, 1 = 1 AS truth").first();
  },

  async batching({ DB }) {
    await people(DB, "batching");
    const insert = (name) => DB.prepare("INSERT INTO batching (name) VALUES (?)").bind(name);
    return {
      results: (await DB.batch([insert("Di"), DB.prepare("SELECT COUNT(*) AS n FROM batching"), DB.prepare("DELETE FROM batching WHERE name = 'Di'")])).map(plain),
      failing: await exactly(() => DB.batch([insert("Ed"), insert("Ada"), insert("Fa")])),
      undone: await DB.prepare("SELECT COUNT(*) AS n FROM batching").first("n"),
      broken: await exactly(() => DB.batch([insert("Ed"), DB.prepare("SELEC")])),
      undoneToo: await DB.prepare("SELECT COUNT(*) AS n FROM batching").first("n"),
      empty: await exactly(() => DB.batch([])),
      notStatements: await attempt(() => DB.batch(["SELECT 1"])),
    };
  },

  async executing({ DB }) {
    const shown = (result) => ({ ...result, duration: typeof result.duration });
    const table = "executing";
    return {
      one: await exactly(async () => shown(await DB.exec(`CREATE TABLE IF NOT EXISTS ${table} (x)`))),
      lines: await exactly(async () => shown(await DB.exec(`DELETE FROM ${table};\nINSERT INTO ${table} VALUES (1);\nINSERT INTO ${table} VALUES (2)`))),
      oneLine: await exactly(async () => shown(await DB.exec(`INSERT INTO ${table} VALUES (3); INSERT INTO ${table} VALUES (4)`))),
      count: await DB.prepare(`SELECT COUNT(*) AS n FROM ${table}`).first("n"),
      overLines: await exactly(async () => shown(await DB.exec(`INSERT INTO ${table}\nVALUES (5)`))),
      failing: await exactly(async () => shown(await DB.exec(`INSERT INTO ${table} VALUES (6);\nSELEC 1`))),
      countAfter: await DB.prepare(`SELECT COUNT(*) AS n FROM ${table}`).first("n"),
      empty: await exactly(async () => shown(await DB.exec(""))),
      comment: await exactly(async () => shown(await DB.exec("-- only a comment"))),
    };
  },

  async errors({ DB }) {
    await people(DB, "errors");
    const caught = async (work) => {
      try {
        return await work();
      } catch (error) {
        return { name: error.name, message: error.message, cause: error.cause && { name: error.cause.name, message: error.cause.message } };
      }
    };
    return {
      syntax: await caught(() => DB.prepare("SELEC 1").all()),
      noTable: await caught(() => DB.prepare("SELECT * FROM nothing").all()),
      noColumn: await caught(() => DB.prepare("SELECT nothing FROM errors").all()),
      unique: await caught(() => DB.prepare("INSERT INTO errors (name) VALUES ('Ada')").run()),
      notNull: await caught(() => DB.prepare("INSERT INTO errors (name) VALUES (NULL)").run()),
      two: await caught(() => DB.prepare("SELECT 1; SELECT 2").all()),
      twoFirst: await caught(async () => (await DB.prepare("SELECT 1 AS a; ").first())),
      empty: await caught(() => DB.prepare("").all()),
      begin: await caught(() => DB.prepare("BEGIN").run()),
      internal: await caught(() => DB.prepare("SELECT * FROM _cf_KV").all()),
      noText: await caught(() => DB.prepare().all()),
      prepareIsLazy: await caught(() => typeof DB.prepare("SELEC")),
    };
  },

  async session({ DB }) {
    const session = await attempt(() => DB.withSession("first-primary"));
    return attempt(async () => {
      const first = await session.prepare("SELECT 1 AS a").first("a");
      const batch = await session.batch([session.prepare("SELECT 2 AS a")]);
      return { first, batch: batch[0].results, bookmark: typeof session.getBookmark(), plain: typeof DB.withSession().prepare };
    });
  },

  async apart({ DB, SECOND }) {
    await DB.exec("CREATE TABLE IF NOT EXISTS apart (x)");
    return { second: await attempt(() => SECOND.prepare("SELECT * FROM apart").all()), classes: [DB.constructor.name, DB.prepare("SELECT 1").constructor.name] };
  },

  async limits({ DB }) {
    const marks = (count) => Array.from({ length: count }, () => "?").join(" + ");
    const ones = (count) => Array.from({ length: count }, () => 1);
    return {
      binds100: await attempt(() => DB.prepare(`SELECT ${marks(100)} AS n`).bind(...ones(100)).first("n")),
      binds101: await attempt(() => DB.prepare(`SELECT ${marks(101)} AS n`).bind(...ones(101)).first("n")),
      statement: await attempt(() => DB.prepare(`SELECT length('${"x".repeat(100_001)}') AS n`).first("n")),
      rows: (await DB.prepare("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) SELECT x FROM c").all()).results.length,
    };
  },

  async write({ DB }) {
    await DB.exec("CREATE TABLE IF NOT EXISTS kept (x TEXT)");
    return plain(await DB.prepare("INSERT INTO kept VALUES (?)").bind("kept").run());
  },

  kept: async ({ DB }) => (await DB.prepare("SELECT x FROM kept").all()).results,
};

export default {
  fetch: (request, env) => answer(cases, new URL(request.url).pathname.slice(1), env),
};
