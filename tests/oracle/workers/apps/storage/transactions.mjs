import { attempt, exactly } from "./shared/show.mjs";

export const transactions = {
  async commit({ storage }) {
    await storage.put("x", 1);
    const returned = await storage.transaction(async (txn) => {
      const before = await txn.get("x");
      await txn.put("x", before + 1);
      await txn.put({ y: 1, z: 2 });
      await txn.delete("z");
      return { inside: await txn.list(), outside: await storage.get("x") };
    });
    return { returned, after: await storage.list() };
  },

  async rollback({ storage }) {
    await storage.put("x", 1);
    const returned = await storage.transaction(async (txn) => {
      await txn.put("x", 2);
      await txn.put("y", 2);
      txn.rollback();
      return "rolled back";
    });
    return { returned, after: await storage.list() };
  },

  async rollbackByError({ storage }) {
    await storage.put("x", 1);
    const returned = await exactly(() => storage.transaction(async (txn) => {
      await txn.put("x", 2);
      throw new RangeError("in the transaction");
    }));
    return { returned, after: await storage.get("x") };
  },

  async useAfterRollback({ storage }) {
    return storage.transaction(async (txn) => {
      txn.rollback();
      return { put: await attempt(() => txn.put("x", 3)), again: await attempt(() => txn.rollback()) };
    });
  },

  async nested({ storage }) {
    await storage.put("x", 1);
    const returned = await attempt(() => storage.transaction(async () => {
      await storage.put("x", 2);
      await attempt(() => storage.transaction(async (inner) => {
        await inner.put("x", 3);
        throw new Error("inner");
      }));
      return storage.get("x");
    }));
    return { returned, after: await storage.get("x") };
  },

  async sqlInside({ storage, sql }) {
    sql.exec("CREATE TABLE IF NOT EXISTS t (x)");
    await attempt(() => storage.transaction(async () => {
      sql.exec("INSERT INTO t VALUES (1)");
      throw new Error("undo");
    }));
    const undone = sql.exec("SELECT COUNT(*) AS n FROM t").one().n;
    await storage.transaction(async () => sql.exec("INSERT INTO t VALUES (2)"));
    return { undone, kept: sql.exec("SELECT x FROM t").toArray() };
  },

  async sync({ storage, sql }) {
    sql.exec("CREATE TABLE IF NOT EXISTS t (x)");
    const result = {};
    result.returned = storage.transactionSync(() => {
      sql.exec("INSERT INTO t VALUES (1)");
      return "value";
    });
    result.thrown = await exactly(() => storage.transactionSync(() => {
      sql.exec("INSERT INTO t VALUES (2)");
      throw new RangeError("undo");
    }));
    result.nested = await exactly(() => storage.transactionSync(() => {
      sql.exec("INSERT INTO t VALUES (3)");
      try {
        storage.transactionSync(() => {
          sql.exec("INSERT INTO t VALUES (4)");
          throw new Error("inner");
        });
      } catch {}
      return sql.exec("SELECT x FROM t").raw().toArray();
    }));
    result.promise = await exactly(() => storage.transactionSync(async () => {
      sql.exec("INSERT INTO t VALUES (5)");
    }));
    result.keyValue = await exactly(() => storage.transactionSync(() => {
      storage.kv.put("k", 1);
      throw new Error("undo");
    }));
    result.afterwards = [sql.exec("SELECT x FROM t").raw().toArray(), storage.kv.get("k")];
    return result;
  },

  async noFunction({ storage }) {
    return { async: await attempt(() => storage.transaction()), sync: await attempt(() => storage.transactionSync()) };
  },

  async bookmarks({ storage }) {
    const is = (value) => typeof value === "string" && value.length > 0;
    return {
      current: await attempt(async () => is(await storage.getCurrentBookmark())),
      ofTime: await attempt(async () => is(await storage.getBookmarkForTime(Date.now() - 1000))),
      ordered: await attempt(async () => {
        const before = await storage.getCurrentBookmark();
        await storage.put("b", 1);
        await storage.sync();
        return before < (await storage.getCurrentBookmark());
      }),
    };
  },
};
