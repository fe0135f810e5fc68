//! D1: check RW-B5. The details are compared with the real system in `tests/oracle/workers`.

use serde_json::{Value, json};

use crate::support::Site;

/// A Worker that answers with what the body returns; `DB` is its database.
fn database(body: &str) -> Site {
    let configuration = r#"{
      "name": "database", "main": "main.js", "compatibility_date": "2026-11-01",
      "d1_databases": [{ "binding": "DB", "database_name": "main", "database_id": "00000000-0000-4000-8000-000000000000" }]
    }"#;
    let module = format!(
        r#"export default {{
          async fetch(request, {{ DB }}) {{
            const what = new URL(request.url).pathname.slice(1);
            const refused = async (work) => {{ try {{ await work(); return null; }} catch (error) {{ return error.message; }} }};
            {body}
          }}
        }};"#
    );
    Site::new().file("wrangler.jsonc", configuration).file("main.js", module)
}

#[test]
fn a_batch_is_all_or_nothing() {
    let host = database(
        r#"
        await DB.exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
        const insert = (x) => DB.prepare("INSERT INTO t VALUES (?1)").bind(x);
        const good = await DB.batch([insert(1), insert(2), DB.prepare("SELECT COUNT(*) AS n FROM t")]);
        const bad = await refused(() => DB.batch([insert(3), insert(1)]));
        return Response.json({ counts: good.map((it) => it.meta.changes), rows: good[2].results, bad, left: await DB.prepare("SELECT COUNT(*) AS n FROM t").first("n") });"#,
    )
    .serve();
    let answer = host.get("/").json();
    assert_eq!(answer["counts"], json!([1, 1, 0]));
    assert_eq!(answer["rows"], json!([{ "n": 2 }]));
    assert!(
        answer["bad"].as_str().is_some_and(|it| it.contains("D1_ERROR") && it.contains("UNIQUE")),
        "{answer}"
    );
    assert_eq!(answer["left"], 2);
}

#[test]
fn statements_bind_and_return() {
    let host = database(
        r#"
        await DB.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
        const all = await DB.prepare("INSERT INTO t (name) VALUES (?2), (?1) RETURNING id, name").bind("one", "two").all();
        const statement = DB.prepare("SELECT id, name FROM t ORDER BY id");
        return Response.json({
          success: all.success, returned: all.results, first: await statement.first(), column: await statement.first("name"),
          missing: await refused(() => statement.first("nothing")), raw: await statement.raw({ columnNames: true }),
          undefined: await refused(() => DB.prepare("SELECT ?").bind(undefined).all()), meta: Object.keys((await statement.all()).meta).sort(),
        });"#,
    )
    .serve();
    let mut answer = host.get("/").json();
    let meta = answer["meta"].take();
    for name in
        ["changed_db", "changes", "duration", "last_row_id", "rows_read", "rows_written", "size_after"]
    {
        assert!(meta.as_array().is_some_and(|it| it.contains(&json!(name))), "{name}: {meta}");
    }
    for kind in ["missing", "undefined"] {
        assert!(answer[kind].take().is_string(), "{kind}");
    }
    assert_eq!(
        answer,
        json!({
            "success": true, "returned": [{ "id": 1, "name": "two" }, { "id": 2, "name": "one" }],
            "first": { "id": 1, "name": "two" }, "column": "two", "missing": null,
            "raw": [["id", "name"], [1, "two"], [2, "one"]], "undefined": null, "meta": null,
        })
    );
}

#[test]
fn rows_outlive_the_process() {
    let host = database(
        r#"
        if (what === "write") return Response.json((await DB.exec("CREATE TABLE IF NOT EXISTS t (x);\nINSERT INTO t VALUES (1)")).count);
        return Response.json((await DB.prepare("SELECT x FROM t").all()).results);"#,
    )
    .serve();
    assert_eq!(host.get("/write").json(), 2);
    let host = host.killed();
    assert_eq!(host.get("/read").json(), json!([{ "x": 1 }]) as Value);
}
