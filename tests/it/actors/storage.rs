//! What actors store, and their alarms.

use serde_json::{Value, json};

use super::{call, get, rooms, value};

#[test]
fn keys_and_values_survive_a_restart() {
    let body = r#"async fill() {
      const { storage } = this.ctx;
      await storage.put({ b: new Map([["x", new Date(5)]]), a: 1, c: "z" });
      await storage.put("d", { deep: [1, { two: 2n }] });
      return [...(await storage.list()).keys()];
    }
    async read() {
      const { storage } = this.ctx;
      return {
        b: (await storage.get("b")).get("x").getTime(), deep: String((await storage.get("d")).deep[1].two),
        many: [...await storage.get(["c", "a", "none"])], none: (await storage.get("none")) ?? null,
        list: [...(await storage.list({ start: "b", end: "d" })).keys()],
        after: [...(await storage.list({ startAfter: "b", reverse: true, limit: 1 })).keys()],
        deleted: [await storage.delete("a"), await storage.delete("a"), await storage.delete(["b", "q"])],
        sync: storage.kv.get("c"),
      };
    }"#;
    let host = rooms(body).serve();
    assert_eq!(get(&host, "fill"), json!(["a", "b", "c", "d"]));

    let host = host.restart("TERM");

    assert_eq!(
        get(&host, "read"),
        json!({
            "b": 5, "deep": "2", "many": [["a", 1], ["c", "z"]], "none": null, "list": ["b", "c"],
            "after": ["d"], "deleted": [true, false, 1], "sync": "z",
        })
    );
}

#[test]
fn transactions_are_undone_as_a_whole() {
    let host = rooms(
        r#"async undo() {
          const { storage } = this.ctx;
          await storage.put("n", 1);
          await storage.transaction(async (txn) => { await txn.put("n", 2); txn.rollback(); });
          try { await storage.transaction(async (txn) => { await txn.put("n", 3); throw new Error("no"); }); } catch {}
          try { storage.transactionSync(() => { storage.kv.put("n", 4); throw new Error("no"); }); } catch {}
          const kept = storage.transactionSync(() => { storage.kv.put("m", 5); return "kept"; });
          return [await storage.get("n"), await storage.get("m"), kept];
        }"#,
    )
    .serve();

    assert_eq!(get(&host, "undo"), json!([1, 5, "kept"]));
}

#[test]
fn sql_returns_cursors() {
    let host = rooms(
        r#"sql() {
          const { sql } = this.ctx.storage;
          sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, b BLOB)");
          const { rowsWritten } = sql.exec("INSERT INTO t (x, b) VALUES (?, ?), ('two', NULL)", "one", new Uint8Array([1, 2]));
          const cursor = sql.exec("SELECT * FROM t ORDER BY id");
          const first = cursor.next().value;
          const failure = (work) => { try { work(); return "none"; } catch (error) { return error.message; } };
          return {
            rowsWritten, columns: cursor.columnNames, first: [first.x, first.b instanceof ArrayBuffer],
            rest: cursor.toArray(), raw: [...sql.exec("SELECT id, x FROM t").raw()],
            one: sql.exec("SELECT count(*) AS n FROM t").one(),
            none: failure(() => sql.exec("SELECT 1 WHERE 0").one()),
            two: failure(() => sql.exec("SELECT * FROM t").one()),
            begin: failure(() => sql.exec("BEGIN")), syntax: failure(() => sql.exec("SELEC 1")),
            object: failure(() => sql.exec("SELECT ?", {})), size: sql.databaseSize > 0,
          };
        }"#,
    )
    .serve();

    let answer = get(&host, "sql");

    assert_eq!(answer["rowsWritten"], 2);
    assert_eq!(answer["columns"], json!(["id", "x", "b"]));
    assert_eq!(answer["first"], json!(["one", true]));
    assert_eq!(answer["rest"], json!([{ "id": 2, "x": "two", "b": null }]));
    assert_eq!(answer["raw"], json!([[1, "one"], [2, "two"]]));
    assert_eq!(answer["one"], json!({ "n": 2 }));
    assert_eq!(answer["none"], "Expected exactly one result from SQL query, but got no results.");
    assert_eq!(answer["two"], "Expected exactly one result from SQL query, but got multiple results.");
    assert!(answer["begin"].as_str().unwrap().contains("transactionSync()"), "{answer}");
    assert!(answer["syntax"].as_str().unwrap().contains("syntax error"), "{answer}");
    assert!(answer["object"].as_str().unwrap().contains("binding 1"), "{answer}");
    assert_eq!(answer["size"], true);
}

#[test]
fn keys_and_values_beyond_the_limits_are_refused() {
    let host = rooms(
        r#"async limits() {
          const { storage } = this.ctx;
          const failure = async (work) => { try { await work(); return "none"; } catch (e) { return `${e.name}: ${e.message}`; } };
          return {
            key: await failure(() => storage.put("k".repeat(2 << 20), 1)),
            value: await failure(() => storage.put("big", new Uint8Array(2 << 20))),
            many: await failure(() => storage.get(Array.from({ length: 129 }, (_, i) => `${i}`))),
            undefined: await failure(() => storage.put("u", undefined)),
            fn: await failure(() => storage.put("f", () => {})),
            both: await failure(() => storage.list({ start: "a", startAfter: "b" })),
            kept: [...(await storage.list()).keys()],
          };
        }"#,
    )
    .serve();

    let answer = get(&host, "limits");

    let has =
        |key: &str, text: &str| assert!(answer[key].as_str().unwrap().contains(text), "{key}: {answer}");
    has("key", "at most 2097152 are allowed");
    has("value", "at most 2097152 are allowed");
    has("many", "at most 128 are allowed");
    has("undefined", "put() called with undefined value.");
    has("fn", "DataCloneError");
    has("both", "both start and startAfter");
    assert_eq!(answer["kept"], json!([]));
}

const ALARMS: &str = r#"failures = 0;
    async set(delay, failures) {
      this.failures = failures;
      await this.ctx.storage.setAlarm(Date.now() + delay);
      return (await this.ctx.storage.getAlarm()) > 0;
    }
    async alarm({ retryCount }) {
      const seen = (await this.ctx.storage.get("seen")) ?? [];
      await this.ctx.storage.put("seen", [...seen, [retryCount, this.ctx.id.name, await this.ctx.storage.getAlarm()]]);
      if (this.failures-- > 0) throw new Error("the alarm failed");
      console.error("alarm done");
    }
    async seen() { return (await this.ctx.storage.get("seen")) ?? []; }"#;

#[test]
fn an_alarm_survives_a_killed_process() {
    let host = rooms(ALARMS).serve();
    assert_eq!(value(&host, "set", &json!([1, 0])), true);
    host.log.next("alarm done");
    assert_eq!(value(&host, "set", &json!([600, 0])), true);

    let host = host.restart("KILL");

    host.log.next("alarm done");
    assert_eq!(get(&host, "seen"), json!([[0, "a", null], [0, "a", null]]));
}

#[test]
fn an_alarm_that_fails_is_tried_again() {
    let host = rooms(ALARMS).serve();

    assert_eq!(value(&host, "set", &json!([1, 1])), true);

    host.log.next("the alarm failed");
    host.log.next("alarm done");
    assert_eq!(get(&host, "seen"), json!([[0, "a", null], [1, "a", null]]));
}

#[test]
fn a_bookmark_brings_a_state_back() {
    let host = rooms(
        r#"async put(n) { await this.ctx.storage.put("n", n); }
        async n() { return this.ctx.storage.get("n"); }
        async mark() { return this.ctx.storage.getCurrentBookmark(); }
        async back(bookmark) { await this.ctx.storage.onNextSessionRestoreBookmark(bookmark); this.ctx.abort("back"); }"#,
    )
    .serve();
    value(&host, "put", &json!([1]));
    let bookmark = get(&host, "mark");
    value(&host, "put", &json!([2]));

    let aborted = call(&host, "a", "back", &json!([bookmark]));

    assert_eq!(aborted["message"], "back");
    assert_eq!(get(&host, "n"), 1);
}

#[test]
fn a_facet_has_storage_of_its_own() {
    let host = rooms(
        r#"async hit(name) {
          class Child extends Actor {
            hit() {
              const n = (this.ctx.storage.kv.get("n") ?? 0) + 1;
              this.ctx.storage.kv.put("n", n);
              return n;
            }
          }
          return await this.ctx.facets.get(name, () => ({ class: Child })).hit();
        }
        drop(name) { this.ctx.facets.delete(name); }
        own() { return this.ctx.storage.kv.get("n"); }"#,
    )
    .serve();

    assert_eq!(value(&host, "hit", &json!(["x"])), 1);
    assert_eq!(value(&host, "hit", &json!(["x"])), 2);
    assert_eq!(value(&host, "hit", &json!(["y"])), 1);
    assert_eq!(get(&host, "own"), Value::Null);
    value(&host, "drop", &json!(["x"]));
    assert_eq!(value(&host, "hit", &json!(["x"])), 1);
}
