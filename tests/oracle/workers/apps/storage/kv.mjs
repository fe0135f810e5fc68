import { attempt, exactly } from "./shared/show.mjs";

class Point {
  constructor(x) {
    this.x = x;
  }
  method() {}
}

export const kv = {
  async basic({ storage }) {
    const result = { missing: await storage.get("nothing"), put: await storage.put("a", 1), got: await storage.get("a") };
    await storage.put("a", { nested: [1, { two: 2 }] });
    result.overwritten = await storage.get("a");
    result.deleted = await storage.delete("a");
    result.deletedAgain = await storage.delete("a");
    result.gone = await storage.get("a");
    return result;
  },

  async multiple({ storage }) {
    const put = await storage.put({ b: 2, a: 1, c: 3 });
    const got = await storage.get(["c", "nothing", "a"]);
    const deleted = await storage.delete(["a", "nothing", "b"]);
    return { put, got, order: [...got.keys()], deleted, left: await storage.list(), none: await storage.get([]), noneDeleted: await storage.delete([]) };
  },

  async clone({ storage }) {
    const cycle = { name: "cycle" };
    cycle.self = cycle;
    const values = {
      undefinedField: { a: undefined, b: null },
      date: new Date(0),
      map: new Map([["k", new Set([1, 2])]]),
      regexp: /a+b/gi,
      bigint: 12345678901234567890n,
      numbers: [NaN, Infinity, -Infinity, -0, 1.5],
      bytes: new Uint8Array([1, 2, 255]),
      buffer: new Uint8Array([3, 4]).buffer,
      floats: new Float64Array([0.5]),
      view: new DataView(new Uint8Array([9, 8, 7]).buffer, 1),
      error: new RangeError("stored"),
      sparse: [1, , 3],
      text: "\u0000 \u{1F600} \uD800",
      boxed: [Object(1), Object("s"), Object(true)],
      cycle,
      instance: new Point(7),
    };
    const result = {};
    for (const [key, value] of Object.entries(values)) {
      result[key] = await exactly(async () => {
        await storage.put(key, value);
        const got = await storage.get(key);
        if (key === "cycle") return got.self === got;
        if (key === "instance") return { x: got.x, isPoint: got instanceof Point };
        if (key === "sparse") return { length: got.length, has: 1 in got };
        if (key === "boxed") return got.map((it) => typeof it);
        return got;
      });
    }
    return result;
  },

  async copies({ storage }) {
    const value = { list: [1] };
    const done = storage.put("copied", value);
    value.list.push(2);
    await done;
    const first = await storage.get("copied");
    first.list.push(3);
    return { stored: await storage.get("copied"), same: (await storage.get("copied")) === (await storage.get("copied")) };
  },

  async refused({ storage }) {
    return {
      function: await attempt(() => storage.put("f", () => {})),
      symbol: await attempt(() => storage.put("s", Symbol("x"))),
      undefined: await attempt(() => storage.put("u", undefined)),
      noValue: await attempt(() => storage.put("u")),
      emptyKey: await attempt(() => storage.put("", 1)),
      numberKey: await attempt(async () => {
        await storage.put(5, "five");
        return storage.get("5");
      }),
      nullKey: await attempt(() => storage.get(null)),
      noKey: await attempt(() => storage.get()),
      entriesUndefined: await attempt(async () => {
        await storage.put({ x: undefined, y: 1 });
        return storage.list();
      }),
      afterwards: await storage.list(),
    };
  },

  async limits({ storage }) {
    const many = (count) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));
    return {
      key2048: await attempt(async () => (await storage.put("k".repeat(2048), 1), (await storage.get("k".repeat(2048))))),
      key2049: await attempt(() => storage.put("k".repeat(2049), 1)),
      getKey2049: await attempt(() => storage.get("k".repeat(2049))),
      value1M: await attempt(async () => (await storage.put("v", "x".repeat(1024 * 1024)), (await storage.get("v")).length)),
      value3M: await attempt(() => storage.put("v", "x".repeat(3 * 1024 * 1024))),
      kept: (await storage.get("v"))?.length,
      put128: await attempt(() => storage.put(many(128))),
      put129: await attempt(() => storage.put(many(129))),
      get128: await attempt(async () => (await storage.get(Object.keys(many(128)))).size),
      get129: await attempt(() => storage.get(Object.keys(many(129)))),
      delete129: await attempt(() => storage.delete(Object.keys(many(129)))),
    };
  },

  async options({ storage }) {
    await storage.put("o", 1, { allowUnconfirmed: true, noCache: true, allowConcurrency: true });
    return { got: await storage.get("o", { noCache: true, allowConcurrency: true }), sync: await storage.sync() };
  },

  async deleteAll({ storage, sql }) {
    await storage.put({ a: 1, b: 2 });
    sql.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    await storage.setAlarm(Date.now() + 3_600_000);
    const returned = await storage.deleteAll();
    const tables = sql.exec("SELECT name FROM sqlite_master WHERE name = 't'").toArray();
    const result = { returned, left: await storage.list(), tables, alarm: await storage.getAlarm() };
    await storage.put("again", 1);
    return { ...result, again: await storage.get("again") };
  },

  async synchronous({ storage }) {
    const { kv } = storage;
    const result = { put: kv.put("s", { n: 1 }), got: kv.get("s"), missing: kv.get("nothing"), fromAsync: await storage.get("s") };
    await storage.put("t", 2);
    kv.put("u", 3);
    result.list = [...kv.list()];
    result.limited = [...kv.list({ prefix: "", limit: 2, reverse: true })];
    result.started = [...kv.list({ start: "t" })];
    result.deleted = [kv.delete("s"), kv.delete("s")];
    result.after = [...kv.list()];
    result.errors = [await attempt(() => kv.put("x", () => {})), await attempt(() => kv.get("k".repeat(2049))), await attempt(() => kv.put("v", "x".repeat(3_000_000)))];
    return result;
  },

  async write({ storage, sql, query }) {
    await storage.put("kept", { at: query.get("value"), date: new Date(5) });
    sql.exec("CREATE TABLE IF NOT EXISTS kept (x TEXT); INSERT INTO kept VALUES (?)", query.get("value"));
    return "written";
  },

  async read({ storage, sql }) {
    const tables = sql.exec("SELECT name FROM sqlite_master WHERE name = 'kept'").toArray();
    return { kept: await storage.get("kept"), rows: tables.length === 0 ? null : sql.exec("SELECT x FROM kept ORDER BY rowid").raw().toArray() };
  },
};
