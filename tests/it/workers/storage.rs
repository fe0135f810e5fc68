//! What an object keeps: check RW-B4. The details are compared with the real system in `tests/oracle/workers`.

use serde_json::json;

use super::worker;
use crate::support::Site;

/// Runs the body inside of the object that the first segment of the path names.
fn object(body: &str) -> Site {
    worker(&format!(
        r#"
        import {{ DurableObject }} from "cloudflare:workers";
        export class Room extends DurableObject {{
          async fetch(request) {{
            const {{ ctx }} = this;
            const {{ storage }} = ctx;
            const url = new URL(request.url);
            const what = url.pathname.split("/")[2];
            {body}
          }}
        }}
        export default {{
          fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.split("/")[1]).fetch(request),
        }};"#
    ))
}

#[test]
fn keys_are_listed_in_order_and_within_bounds() {
    let host = object(
        r#"
        for (const key of ["c", "a", "b2", "b1", "b10"]) await storage.put(key, key.length);
        const keys = async (options) => [...(await storage.list(options)).keys()].join(" ");
        return Response.json([
          await keys(), await keys({ prefix: "b" }), await keys({ start: "b1", end: "b2" }), await keys({ startAfter: "b1", limit: 2 }), await keys({ reverse: true, limit: 2 }),
        ]);"#,
    )
    .serve();
    assert_eq!(host.get("/list").json(), json!(["a b1 b10 b2 c", "b1 b10 b2", "b1 b10", "b10 b2", "c b2"]));
}

#[test]
fn values_and_tables_outlive_the_process() {
    let host = object(
        r#"
        if (what === "write") {
          await storage.put("value", new Map([["a", [1, new Date(5)]]]));
          storage.sql.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
          return Response.json("written");
        }
        const value = await storage.get("value");
        return Response.json([value?.get("a")[1].getTime() ?? null, value ? storage.sql.exec("SELECT x FROM t").toArray() : null]);"#,
    )
    .serve();
    assert_eq!(host.get("/kept/write").json(), "written");
    let host = host.killed();
    assert_eq!(host.get("/kept/read").json(), json!([5, [{ "x": 1 }, { "x": 2 }]]));
    assert_eq!(host.get("/other/read").json(), json!([null, null]));
}

#[test]
fn work_after_the_answer_is_finished() {
    let host = object(
        r#"
        if (what === "begin") {
          ctx.waitUntil((async () => {
            await new Promise((resolve) => setTimeout(resolve, 20));
            await storage.put("later", "done");
          })());
          return Response.json("answered");
        }
        return Response.json((await storage.get("later")) ?? null);"#,
    )
    .serve();
    assert_eq!(host.get("/later/begin").json(), "answered");
    host.until("/later/read", |answer| answer.json() == "done");
}

#[test]
fn requests_that_read_and_write_do_not_lose_counts() {
    let host = object(
        r#"
        if (what === "count") {
          const n = (await storage.get("n")) ?? 0;
          await storage.put("n", n + 1);
          return Response.json("counted");
        }
        return Response.json(await storage.get("n"));"#,
    )
    .serve();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(host.get("/counter/count").json(), "counted");
                }
            });
        }
    });
    assert_eq!(host.get("/counter/read").json(), 40);
}

#[test]
fn what_is_refused_harms_nothing_else() {
    let host = object(
        r#"
        await storage.put("kept", 1);
        const refused = async (work) => { try { await work(); return null; } catch (error) { return error.message; } };
        return Response.json({
          value: await refused(() => storage.put("big", "x".repeat(3 * 1024 * 1024))),
          transaction: await refused(() => storage.sql.exec("BEGIN")),
          syntax: await refused(() => storage.sql.exec("SELEC")),
          kept: [...(await storage.list()).keys()],
        });"#,
    )
    .serve();
    let answer = host.get("/refused").json();
    for kind in ["value", "transaction", "syntax"] {
        assert!(answer[kind].is_string(), "{kind}: {answer}");
    }
    assert_eq!(answer["kept"], json!(["kept"]));
}
