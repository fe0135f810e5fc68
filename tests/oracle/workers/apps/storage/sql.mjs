import { attempt, exactly } from "./shared/show.mjs";

function people(sql) {
  sql.exec("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)");
  sql.exec("DELETE FROM people");
  for (const [name, age] of [["Ada", 36], ["Bob", 20], ["Cy", null]]) sql.exec("INSERT INTO people (name, age) VALUES (?, ?)", name, age);
}

export const sql = {
  cursor({ sql }) {
    people(sql);
    const all = () => sql.exec("SELECT name, age FROM people ORDER BY id");
    const partly = all();
    const first = partly.next();
    const result = {
      toArray: all().toArray(),
      raw: all().raw().toArray(),
      spread: [...all()].length,
      columnNames: all().columnNames,
      first,
      rest: partly.toArray(),
      ended: partly.next(),
      rawNext: all().raw().next(),
      one: sql.exec("SELECT COUNT(*) AS n FROM people").one(),
      doubled: sql.exec("SELECT 1 AS a, 2 AS a").raw().toArray(),
      doubledObject: sql.exec("SELECT 1 AS a, 2 AS a").toArray(),
      doubledNames: sql.exec("SELECT 1 AS a, 2 AS a").columnNames,
      unnamed: sql.exec("SELECT 1 + 1, 'x'").toArray(),
      write: sql.exec("UPDATE people SET age = 1 WHERE name = 'Cy'").toArray(),
      returning: sql.exec("INSERT INTO people (name) VALUES ('Di') RETURNING id, name, age").toArray(),
    };
    const helpers = all().map?.((row) => row.name);
    result.helpers = helpers ? [...helpers] : "none";
    return result;
  },

  counts({ sql }) {
    people(sql);
    const read = sql.exec("SELECT * FROM people");
    const before = read.rowsRead;
    read.toArray();
    const written = sql.exec("INSERT INTO people (name) VALUES ('E'), ('F')");
    return { before, read: read.rowsRead, writtenByRead: read.rowsWritten, written: written.rowsWritten, updated: sql.exec("UPDATE people SET age = 5").rowsWritten };
  },

  async types({ sql }) {
    const through = (value) => exactly(() => {
      const row = sql.exec("SELECT ? AS value, typeof(?) AS type", value, value).one();
      return [row.value, row.type];
    });
    return {
      null: await through(null), undefined: await through(undefined), integer: await through(5), big: await through(2 ** 53),
      negative: await through(-1.5), text: await through("t\u00e9xt\u{1F600}"), nul: await through("a\u0000b"), true: await through(true), false: await through(false),
      bytes: await through(new Uint8Array([1, 2])), buffer: await through(new Uint8Array([3]).buffer), view: await through(new DataView(new ArrayBuffer(2))),
      bigint: await through(5n), date: await through(new Date(0)), object: await through({ a: 1 }), array: await through([1]), notANumber: await through(NaN), infinity: await through(Infinity),
      literals: sql.exec("SELECT 9007199254740993 AS big, 1.0 AS real, x'0102' AS blob, NULL AS missing, '' AS empty, x'' AS emptyBlob, 1e400 AS inf").toArray(),
      number: await through(Object(5)), symbol: await attempt(() => through(Symbol("x"))),
    };
  },

  async errors({ sql, storage }) {
    sql.exec("CREATE TABLE IF NOT EXISTS u (x INTEGER PRIMARY KEY, y TEXT NOT NULL, CHECK (x < 100)) STRICT");
    sql.exec("DELETE FROM u");
    sql.exec("INSERT INTO u VALUES (1, 'one')");
    return {
      syntax: await exactly(() => sql.exec("SELEC 1")),
      noTable: await exactly(() => sql.exec("SELECT * FROM nothing")),
      noColumn: await exactly(() => sql.exec("SELECT nothing FROM u")),
      unique: await exactly(() => sql.exec("INSERT INTO u VALUES (1, 'two')")),
      notNull: await exactly(() => sql.exec("INSERT INTO u VALUES (2, NULL)")),
      check: await exactly(() => sql.exec("INSERT INTO u VALUES (200, 'x')")),
      strict: await exactly(() => sql.exec("INSERT INTO u VALUES ('text', 'x')")),
      oneOfNone: await attempt(() => sql.exec("SELECT * FROM u WHERE x = 9").one()),
      oneOfTwo: await attempt(() => sql.exec("SELECT 1 UNION SELECT 2").one()),
      tooFew: await attempt(() => sql.exec("SELECT ?, ?", 1)),
      tooMany: await attempt(() => sql.exec("SELECT ?", 1, 2)),
      unfinished: await exactly(() => sql.exec("SELECT (1")),
      empty: await attempt(() => sql.exec("").toArray()),
      comment: await attempt(() => sql.exec("-- nothing").toArray()),
      noText: await attempt(() => sql.exec()),
      left: sql.exec("SELECT * FROM u").toArray(),
    };
  },

  async forbidden({ sql }) {
    const statements = [
      "BEGIN", "BEGIN TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
      "ATTACH DATABASE ':memory:' AS other", "DETACH DATABASE main", "VACUUM", "PRAGMA journal_mode = DELETE", "PRAGMA user_version", "PRAGMA user_version = 3",
      "SELECT * FROM _cf_KV", "CREATE TABLE _cf_mine (x)", "DROP TABLE _cf_KV", "SELECT load_extension('x')",
      "CREATE TEMP TABLE temporary (x)", "CREATE TABLE sqlite_mine (x)", "PRAGMA writable_schema = 1", "SELECT randomblob(4) IS NOT NULL",
    ];
    const result = {};
    for (const statement of statements) {
      result[statement] = await attempt(() => (sql.exec(statement).toArray(), "allowed"));
    }
    return result;
  },

  async pragmas({ sql }) {
    people(sql);
    const result = {};
    for (const statement of ["PRAGMA table_info(people)", "PRAGMA table_list", "PRAGMA foreign_keys", "PRAGMA foreign_key_list(people)", "PRAGMA index_list(people)", "PRAGMA quick_check", "PRAGMA defer_foreign_keys = on", "PRAGMA optimize", "PRAGMA case_sensitive_like = 1", "PRAGMA recursive_triggers", "PRAGMA compile_options"]) {
      result[statement] = await attempt(() => {
        const rows = sql.exec(statement).toArray();
        return /list$|options/.test(statement) ? rows.length > 0 : rows;
      });
    }
    return result;
  },

  async statements({ sql }) {
    const last = sql.exec("CREATE TABLE IF NOT EXISTS m (x); DELETE FROM m; INSERT INTO m VALUES (10); INSERT INTO m VALUES (?); SELECT x FROM m ORDER BY x", );
    return last.toArray();
  },

  async statementBinds({ sql }) {
    return {
      last: await exactly(() => sql.exec("CREATE TABLE IF NOT EXISTS n (x); DELETE FROM n; INSERT INTO n VALUES (1); SELECT x, ? AS y FROM n;", "bound").toArray()),
      comments: await exactly(() => sql.exec("/* one */ SELECT 1 AS a; -- two\n SELECT 2 AS a; /* end */").toArray()),
      semicolons: await exactly(() => sql.exec(" ;; SELECT ';' AS a ;; ").toArray()),
      numbered: await exactly(() => sql.exec("SELECT ?2 AS a, ?1 AS b", "one", "two").toArray()),
      named: await attempt(() => sql.exec("SELECT :a AS a", "one").toArray()),
      failsInside: await exactly(() => sql.exec("INSERT INTO n VALUES (7); SELECT * FROM nothing; INSERT INTO n VALUES (8)")),
      left: sql.exec("SELECT x FROM n ORDER BY x").raw().toArray(),
      trigger: await exactly(() => sql.exec("CREATE TABLE IF NOT EXISTS o (x); CREATE TRIGGER IF NOT EXISTS tr AFTER INSERT ON n BEGIN INSERT INTO o VALUES (NEW.x); DELETE FROM o WHERE x = 1; END; INSERT INTO n VALUES (5); SELECT x FROM o").toArray()),
    };
  },

  functions: ({ sql }) => ({
    json: sql.exec(`SELECT json_extract('{"a":[1,2]}', '$.a[1]') AS a, '{"b":1}' -> 'b' AS b, json_group_array(value) AS c FROM json_each('[1,2]')`).toArray(),
    math: sql.exec("SELECT round(sqrt(2), 4) AS a, ceil(1.2) AS b, pow(2, 3) AS c, mod(7, 3) AS d").toArray(),
    text: sql.exec("SELECT upper('a') AS a, printf('%05d', 42) AS b, substr('hello', 2, 3) AS c, 'ABC' LIKE 'a%' AS d, 'abc' GLOB 'a*' AS e, unicode('A') AS f, string_agg(value, '-') AS g FROM json_each('[1,2]')").toArray(),
    date: sql.exec("SELECT datetime(0, 'unixepoch') AS a, strftime('%Y', '2020-05-01') AS b, unixepoch('1970-01-02') AS c").toArray(),
    window: sql.exec("SELECT value, row_number() OVER (ORDER BY value DESC) AS n FROM json_each('[1,2,3]') ORDER BY value").toArray(),
    cte: sql.exec("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5) SELECT sum(x) AS s FROM c").toArray(),
    search: sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS docs USING fts5(body); DELETE FROM docs; INSERT INTO docs VALUES ('the quick fox'); SELECT body FROM docs WHERE docs MATCH 'quick'").toArray(),
  }),

  async sqlLimits({ sql }) {
    const numbers = (count) => Array.from({ length: count }, (_, at) => at + 1);
    return {
      binds100: await attempt(() => Object.keys(sql.exec(`SELECT ${numbers(100).map(() => "?").join(" + ")} AS x`, ...numbers(100)).one()).length),
      binds101: await attempt(() => sql.exec(`SELECT ${numbers(101).map(() => "?").join(" + ")} AS x`, ...numbers(101)).one()),
      columns100: await attempt(() => (sql.exec(`CREATE TABLE wide (${numbers(100).map((n) => `c${n}`).join(", ")})`), "made")),
      columns101: await attempt(() => (sql.exec(`CREATE TABLE wider (${numbers(101).map((n) => `c${n}`).join(", ")})`), "made")),
      statement: await attempt(() => (sql.exec(`SELECT '${"x".repeat(99_000)}'`), "run")),
      longStatement: await attempt(() => (sql.exec(`SELECT '${"x".repeat(100_001)}'`), "run")),
      text: await attempt(() => sql.exec("SELECT length(?) AS n", "x".repeat(2_000_000)).one()),
      longText: await attempt(() => sql.exec("SELECT length(?) AS n", "x".repeat(2_200_000)).one()),
      blob: await attempt(() => sql.exec("SELECT zeroblob(2300000) AS b").one()),
      pattern: await attempt(() => sql.exec(`SELECT 'x' LIKE '${"%x".repeat(30)}' AS m`).one()),
      functionArguments: await attempt(() => sql.exec(`SELECT max(${numbers(33).join(", ")}) AS m`).one()),
      compound: await attempt(() => sql.exec(numbers(6).map((n) => `SELECT ${n}`).join(" UNION ALL ")).toArray().length),
      deep: await attempt(() => sql.exec(`SELECT ${"(".repeat(90)}1${")".repeat(90)} AS x`).one()),
      deeper: await attempt(() => sql.exec(`SELECT ${"1+".repeat(150)}1 AS x`).one()),
    };
  },

  size({ sql }) {
    const before = sql.databaseSize;
    sql.exec("CREATE TABLE IF NOT EXISTS big (x)");
    for (let n = 0; n < 20; n += 1) sql.exec("INSERT INTO big VALUES (zeroblob(10000))");
    return { number: typeof before, grows: sql.databaseSize - before > 150_000, pages: sql.databaseSize % 4096 };
  },

  async whileWriting({ sql }) {
    sql.exec("CREATE TABLE IF NOT EXISTS w (x); DELETE FROM w; INSERT INTO w VALUES (1), (2), (3)");
    const seen = [];
    for (const { x } of sql.exec("SELECT x FROM w")) {
      seen.push(x);
      sql.exec("UPDATE w SET x = x + 10 WHERE x = ?", x);
    }
    const open = sql.exec("SELECT x FROM w");
    open.next();
    const dropped = await exactly(() => (sql.exec("DROP TABLE w"), "dropped"));
    return { seen: seen.length, dropped, rest: await attempt(() => open.toArray().length) };
  },

  async keyValueTable({ sql, storage }) {
    await storage.put("k", 1);
    return { tables: sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' ORDER BY name").raw().toArray() };
  },

  prepared({ sql }) {
    const statement = sql.prepare?.("SELECT ? AS x");
    return { has: typeof sql.prepare, run: statement ? statement(5).toArray() : null, cursor: typeof sql.Cursor, statementClass: typeof sql.Statement, ingest: typeof sql.ingest };
  },
};
