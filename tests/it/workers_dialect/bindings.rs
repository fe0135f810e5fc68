//! D1, KV and the names of `env`.

use serde_json::{Value, json};

use super::worker;
use crate::support::{Host, Site};

const STORES: &str = "[[kv_namespaces]]\nbinding = \"KV\"\nid = \"kv\"\n
[[d1_databases]]\nbinding = \"DB\"\ndatabase_name = \"db\"\ndatabase_id = \"one\"\n";

/// A Worker whose paths are cases: expressions over `KV`, `DB` and `attempt`.
fn cases(cases: &[(&str, &str)]) -> Site {
    let cases: Vec<String> =
        cases.iter().map(|(name, body)| format!("async {name}({{ KV, DB }}) {{ {body} }}")).collect();
    worker(
        STORES,
        &format!(
            "const attempt = (work) => Promise.resolve().then(work).catch((error) => `${{error.name}}: ${{error.message}}`);
             const cases = {{ {} }};
             export default {{ async fetch(request, env) {{
               return Response.json((await cases[new URL(request.url).pathname.slice(1)](env)) ?? null);
             }} }};",
            cases.join(",\n")
        ),
    )
}

#[track_caller]
fn answer(host: &Host, path: &str) -> Value {
    let answer = host.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn keys_have_values_metadata_and_lists() {
    let host = cases(&[
        (
            "values",
            "await KV.put('a', 'text'); await KV.put('j', JSON.stringify({ b: [1] }), { metadata: { kind: 'x' } });
             return [await KV.get('none'), await KV.get('a'), await KV.get('j', 'json'), await KV.getWithMetadata('j', 'json'),
               (await KV.get('a', 'arrayBuffer')).byteLength, await new Response(await KV.get('a', 'stream')).text()];",
        ),
        (
            "list",
            "for (const name of ['l/c', 'l/a', 'l/b']) await KV.put(name, name);
             const first = await KV.list({ prefix: 'l/', limit: 2 });
             const second = await KV.list({ prefix: 'l/', limit: 2, cursor: first.cursor });
             await KV.delete('l/a');
             return [first.keys.map((key) => key.name), first.list_complete, second.keys.length, second.list_complete,
               (await KV.list({ prefix: 'l/' })).keys.length];",
        ),
        (
            "refused",
            "return [await attempt(() => KV.get('')), await attempt(() => KV.put('x', {})),
               await attempt(() => KV.put('x', 'y', { expirationTtl: 5 })), await attempt(() => KV.get('x', 'xml'))]
               .map((text) => text.split(':')[0]);",
        ),
        ("many", "await KV.put('m1', '1'); return [...await KV.get(['m1', 'm2'])];"),
    ])
    .serve();

    let metadata = json!({ "value": { "b": [1] }, "metadata": { "kind": "x" }, "cacheStatus": null });
    assert_eq!(answer(&host, "/values"), json!([null, "text", { "b": [1] }, metadata, 4, "text"]));
    assert_eq!(answer(&host, "/list"), json!([["l/a", "l/b"], false, 1, true, 2]));
    assert_eq!(answer(&host, "/refused"), json!(["TypeError", "TypeError", "Error", "TypeError"]));
    assert_eq!(answer(&host, "/many"), json!([["m1", "1"], ["m2", null]]));
}

#[test]
fn statements_of_d1_return_rows_and_what_they_did() {
    let host = cases(&[(
        "all",
        "await DB.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
         const insert = await DB.prepare('INSERT INTO t (name) VALUES (?1), (?2)').bind('a', 'b').run();
         const statement = DB.prepare('SELECT id, name FROM t ORDER BY id');
         const { results, success } = await statement.all();
         return [insert.meta.changes, insert.meta.last_row_id, insert.results, success, results, await statement.first('name'),
           await statement.raw({ columnNames: true }), await DB.prepare('SELECT 1 WHERE 0').first(),
           (await DB.prepare('INSERT INTO t (name) VALUES (?) RETURNING id').bind('c').all()).results];",
    )])
    .serve();

    let rows = json!([{ "id": 1, "name": "a" }, { "id": 2, "name": "b" }]);
    let raw = json!([["id", "name"], [1, "a"], [2, "b"]]);
    assert_eq!(answer(&host, "/all"), json!([2, 2, [], true, rows, "a", raw, null, [{ "id": 3 }]]));
}

#[test]
fn a_batch_of_d1_is_done_whole_or_not_at_all() {
    let host = cases(&[(
        "batch",
        "await DB.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)');
         const insert = (name) => DB.prepare('INSERT INTO t (name) VALUES (?)').bind(name);
         const done = await DB.batch([insert('a'), DB.prepare('SELECT count(*) AS n FROM t')]);
         const failed = await attempt(() => DB.batch([insert('b'), insert('a')]));
         return [done[1].results, failed, await DB.prepare('SELECT count(*) AS n FROM t').first('n')];",
    )])
    .serve();

    let failed = "Error: D1_ERROR: UNIQUE constraint failed: t.name: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)";
    assert_eq!(answer(&host, "/batch"), json!([[{ "n": 1 }], failed, 1]));
}

#[test]
fn errors_of_d1_are_those_of_cloudflare() {
    let host = cases(&[(
        "errors",
        "return [await attempt(() => DB.prepare('SELEC 1').all()), await attempt(() => DB.prepare('').run()),
           await attempt(() => DB.prepare('SELECT ?').bind(undefined).all()), await attempt(() => DB.prepare('SELECT 1 AS a').first('b')),
           await attempt(() => DB.batch([]))];",
    )])
    .serve();

    let expected = json!([
        "Error: D1_ERROR: near \"SELEC\": syntax error at offset 0: SQLITE_ERROR",
        "Error: D1_ERROR: No SQL statements detected.",
        "Error: D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
        "Error: D1_COLUMN_NOTFOUND: Column not found (b)",
        "Error: D1_ERROR: No SQL statements detected.",
    ]);
    assert_eq!(answer(&host, "/errors"), expected);
}

#[test]
fn stores_outlive_the_process_and_are_no_files_of_the_site() {
    let write = [
        (
            "write",
            "await KV.put('k', 'kept'); await DB.exec('CREATE TABLE IF NOT EXISTS t (x)'); await DB.prepare('INSERT INTO t VALUES (?)').bind('kept').run();",
        ),
        ("read", "return [await KV.get('k'), await DB.prepare('SELECT x FROM t').first('x')];"),
    ];
    let site = cases(&write);
    let data = tempfile::tempdir().expect("a folder");
    let flag = format!("--data={}", data.path().display());
    let mut host = site.arg(&flag).serve();
    assert_eq!(answer(&host, "/write"), Value::Null);
    host.signal("TERM");
    assert_eq!(host.ended(), Some(0));

    let host = cases(&write).arg(&flag).serve();
    assert_eq!(answer(&host, "/read"), json!(["kept", "kept"]));
    assert!(data.path().join("d1/one.sqlite").is_file());
}
