//! `liveline:sql`: statements, their values and errors, transactions, and rows that keep following the database.

use serde_json::{Value, json};

use crate::support::{Host, Site, apply};

/// Runs the statement in the request's body, with whatever else the body gives to `query()`.
const RUN: &str = r#"
    import { client, SqlError } from "liveline:sql";
    export async function POST({ request }) {
      const { sql, params, exec } = await request.json();
      try {
        if (exec !== undefined) return await client.exec(exec) ?? null;
        return await client.query(sql, params);
      } catch (error) {
        const { name, code, message, offset } = error;
        return { error: name, code, message, offset, typed: error instanceof SqlError };
      }
    }"#;

/// Answers with the query in the URL, live.
const LIVE: &str = r#"
    import { client } from "liveline:sql";
    export async function GET(event) {
      const { rows } = await client.query(event.url.searchParams.get("q"), { live: true, signal: event.signal });
      event.waitUntilNavigate();
      return { rows };
    }"#;

pub(super) const SCHEMA: &str = "
    CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE posts (
      id INTEGER PRIMARY KEY, title TEXT, score REAL, author REFERENCES authors ON DELETE CASCADE
    );
    INSERT INTO authors VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cy');
    INSERT INTO posts VALUES (1, 'one', 1, 1), (2, 'two', 2, 1), (3, 'three', 3, 2);";

pub(super) fn site() -> Site {
    Site::new().file("app/run/handler.js", RUN).file("app/live/handler.js", LIVE)
}

/// A host with some posts by some authors.
pub(super) fn posts() -> Host {
    let host = site().serve();
    exec(&host, SCHEMA);
    host
}

#[track_caller]
pub(super) fn query(host: &Host, sql: &str, params: Value) -> Value {
    let answer = host.request("POST", "/run").json(&json!({ "sql": sql, "params": params })).send();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[track_caller]
pub(super) fn exec(host: &Host, sql: &str) {
    let answer = host.request("POST", "/run").json(&json!({ "exec": sql })).send();
    assert_eq!((answer.status, answer.text()), (200, ""));
}

#[track_caller]
pub(super) fn rows(host: &Host, sql: &str) -> Value {
    query(host, sql, Value::Null)["rows"].take()
}

/// A handler at the root whose result is the body's.
pub(super) fn answer_of(body: &str) -> Value {
    let handler = format!(
        r#"import {{ client, Client, openDatabase, SqlError }} from "liveline:sql";
        export default async function (event) {{ {body} }}"#
    );
    Site::new().file("app/handler.js", handler).serve().get("/").json()
}

// -- Statements ---------------------------------------------------------------------------------------

#[test]
fn a_query_returns_rows_columns_and_changes() {
    let host = posts();

    let found = query(&host, "SELECT id, title FROM posts WHERE score > ? ORDER BY id", json!([1]));
    let inserted = query(
        &host,
        "INSERT INTO posts (title, author) VALUES (:title, :author)",
        json!({ "title": "new", ":author": 1 }),
    );
    let updated = query(&host, "UPDATE posts SET score = 0", json!([]));

    assert_eq!(
        found,
        json!({
            "rows": [{ "id": 2, "title": "two" }, { "id": 3, "title": "three" }],
            "columns": ["id", "title"],
            "changes": 0,
            "lastInsertRowid": null
        })
    );
    assert_eq!(inserted, json!({ "rows": [], "columns": [], "changes": 1, "lastInsertRowid": 4 }));
    assert_eq!((&updated["changes"], &updated["lastInsertRowid"]), (&json!(4), &Value::Null));
}

#[test]
fn parameters_may_have_the_names_of_options() {
    let got = answer_of(
        r#"
        const calls = [
          ["SELECT :signal AS a", { signal: "x" }],
          ["SELECT :live AS a", { live: true }],
          ["SELECT $live AS a", { $live: 0 }],
          ["SELECT :params AS a", { params: 2 }],
          ["SELECT :a AS a", { params: { a: 3 } }],
          ["SELECT ? AS a", { params: [4], signal: event.signal, live: false }],
          ["SELECT ? AS a", [5], { signal: event.signal, live: undefined }],
          ["SELECT 1 AS a", { live: 0 }],
          ["SELECT 1 AS a", { lives: true }],
          ["SELECT 1 AS a", [], { lives: true }],
          ["SELECT 1 AS a", [], { live: 1 }],
          ["SELECT 1 AS a", [], { signal: "x" }],
        ];
        const got = [];
        for (const call of calls) {
          try {
            got.push((await client.query(...call)).rows[0].a);
          } catch (error) {
            got.push(error.code ?? error.message);
          }
        }
        return got;"#,
    );

    assert_eq!(
        got,
        json!([
            "x",
            1,
            0,
            2,
            3,
            4,
            5,
            "SQLITE_RANGE",
            "SQLITE_RANGE",
            "query() has no \"lives\": it takes live, params, signal.",
            "query(): the option live is true or false.",
            "query(): the option signal is an AbortSignal."
        ])
    );
}

#[test]
fn parameters_are_values_and_never_sql() {
    let host = posts();
    let hostile = "x'); DROP TABLE posts; --";

    query(&host, "INSERT INTO posts (title) VALUES (?)", json!([hostile]));

    assert_eq!(rows(&host, "SELECT title FROM posts WHERE id = 4"), json!([{ "title": hostile }]));
    // Nor does a second statement hide behind the first.
    let two = query(&host, "SELECT 1; DROP TABLE posts", Value::Null);
    assert_eq!((&two["code"], &two["typed"]), (&json!("SQLITE_MISUSE"), &json!(true)));
    assert_eq!(rows(&host, "SELECT count(*) AS n FROM posts"), json!([{ "n": 4 }]));
}

#[test]
fn every_type_comes_back_as_it_went() {
    let got = answer_of(
        r#"
        const given = [1, 1.5, 2n ** 60n, -5n, "t\u00e9xt", null, true, new Date(0), new Uint8Array([1, 2, 255])];
        const marks = given.map((_, i) => `? AS c${i}, typeof(?${i + 1}) AS t${i}`).map((m, i) => m.replace("?", `?${i + 1}`));
        const { rows: [row] } = await client.query(`SELECT ${marks}`, given);
        return given.map((_, i) => {
          const value = row[`c${i}`];
          const shown = typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value;
          return [row[`t${i}`], shown];
        });"#,
    );

    assert_eq!(
        got,
        json!([
            ["integer", 1],
            ["real", 1.5],
            ["integer", "1152921504606846976n"],
            ["integer", -5],
            ["text", "t\u{e9}xt"],
            ["null", null],
            ["integer", 1],
            ["text", "1970-01-01T00:00:00.000Z"],
            ["blob", [1, 2, 255]]
        ])
    );
}

#[test]
fn what_no_database_holds_is_a_type_error_that_names_it() {
    let got = answer_of(
        r#"
        const errors = [];
        for (const params of [[undefined], [{}], [2n ** 64n], [() => 1], "text"]) {
          await client.query("SELECT ?", params).catch((error) => errors.push(`${error.name}: ${error.message}`));
        }
        return errors;"#,
    );

    let errors = got.as_array().expect("errors");
    assert_eq!(errors.len(), 5, "{got}");
    for error in errors {
        assert!(error.as_str().is_some_and(|error| error.starts_with("TypeError: ")), "{error}");
    }
    assert!(errors[0].as_str().is_some_and(|error| error.contains("parameter 1 is undefined")), "{got}");
}

#[test]
fn a_column_may_have_any_name() {
    let got = answer_of(
        r#"
        const { rows } = await client.query(`SELECT 1 AS "__proto__", 2 AS a, 3 AS a`);
        return [Object.keys(rows[0]), rows[0].a, ({}).polluted, Object.getPrototypeOf(rows[0]) === Object.prototype];"#,
    );

    assert_eq!(got, json!([["__proto__", "a"], 3, null, true]));
}

#[test]
fn errors_have_sqlites_code_and_the_place() {
    let host = posts();
    exec(&host, "CREATE UNIQUE INDEX titles ON posts (title)");
    let error = |sql: &str, params: Value| query(&host, sql, params);

    let syntax = error("SELECT *\n  FORM posts", Value::Null);
    assert_eq!((&syntax["error"], &syntax["code"]), (&json!("SqlError"), &json!("SQLITE_ERROR")));
    assert_eq!(syntax["offset"], 11);
    let message = syntax["message"].as_str().expect("a message");
    assert!(message.contains("at character 12") && message.contains("SELECT * FORM posts"), "{message}");

    for (sql, params, code) in [
        ("INSERT INTO posts (title) VALUES ('one')", json!([]), "SQLITE_CONSTRAINT_UNIQUE"),
        ("INSERT INTO posts (id) VALUES (1)", json!([]), "SQLITE_CONSTRAINT_PRIMARYKEY"),
        ("INSERT INTO posts (author) VALUES (77)", json!([]), "SQLITE_CONSTRAINT_FOREIGNKEY"),
        ("SELECT ?, ?", json!([1]), "SQLITE_RANGE"),
        ("SELECT :a", json!({ "b": 1 }), "SQLITE_RANGE"),
        ("SELECT :a", json!({ "a": 1, "b": 1 }), "SQLITE_RANGE"),
        ("", json!([]), "SQLITE_MISUSE"),
        ("-- nothing", json!([]), "SQLITE_MISUSE"),
        ("BEGIN", json!([]), "SQLITE_AUTH"),
        ("COMMIT", json!([]), "SQLITE_AUTH"),
        ("SAVEPOINT a", json!([]), "SQLITE_AUTH"),
        ("ATTACH 'other.sqlite' AS other", json!([]), "SQLITE_AUTH"),
        ("ATTACH ? AS other", json!(["other.sqlite"]), "SQLITE_AUTH"),
        ("ATTACH 'other' || '.sqlite' AS other", json!([]), "SQLITE_AUTH"),
        ("VACUUM INTO 'other.sqlite'", json!([]), "SQLITE_AUTH"),
    ] {
        assert_eq!(error(sql, params)["code"], code, "{sql}");
    }
    // Nothing of it stands in anybody's way.
    assert_eq!(rows(&host, "SELECT count(*) AS n FROM posts"), json!([{ "n": 3 }]));
    exec(&host, "VACUUM");
}

#[test]
fn an_endless_statement_is_stopped_and_delays_no_other_request() {
    let host = posts();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    let stopped = std::thread::scope(|scope| {
        let running = scope.spawn(|| query(&host, endless, Value::Null));
        // The isolate serves others meanwhile.
        assert_eq!(host.get("/elsewhere").status, 404);
        running.join().expect("an answer")
    });

    assert_eq!(stopped["code"], "SQLITE_INTERRUPT");
    assert_eq!(rows(&host, "SELECT 1 AS a"), json!([{ "a": 1 }]));
}

// -- Transactions -------------------------------------------------------------------------------------

#[test]
fn a_transaction_is_all_or_nothing() {
    let got = answer_of(
        r#"
        await client.exec("CREATE TABLE t (n)");
        const all = async () => (await client.query("SELECT n FROM t")).rows.map(({ n }) => n);
        const insert = (tx, n) => tx.query("INSERT INTO t VALUES (?)", [n]);
        let outside;
        const result = await client.transaction(async (tx) => {
          await insert(tx, 1);
          await tx.exec("SAVEPOINT a; INSERT INTO t VALUES (2); ROLLBACK TO a");
          // A query outside of the transaction waits for its end.
          outside = all();
          await insert(tx, 3);
          return "done";
        });
        const seen = await outside;
        let thrown;
        let kept;
        try {
          await client.transaction(async (tx) => {
            kept = tx;
            await insert(tx, 4);
            throw new RangeError("no");
          });
        } catch (error) {
          thrown = error.name;
        }
        const late = await insert(kept, 5).catch((error) => error.code);
        const sync = await client.transaction((tx) => (insert(tx, 6), "sync"));
        return [result, await all(), seen, thrown, late, sync];"#,
    );

    assert_eq!(got, json!(["done", [1, 3, 6], [1, 3], "RangeError", "SQLITE_MISUSE", "sync"]));
}

#[test]
fn a_failed_statement_leaves_the_transaction_to_its_callback() {
    let got = answer_of(
        r#"
        await client.exec("CREATE TABLE t (n UNIQUE)");
        const codes = [];
        await client.transaction(async (tx) => {
          await tx.query("INSERT INTO t VALUES (1)");
          await tx.query("INSERT INTO t VALUES (1)").catch((error) => codes.push(error.code));
        });
        // This conflict takes the whole transaction with it; what follows may not run outside of it.
        await client.transaction(async (tx) => {
          await tx.query("INSERT INTO t VALUES (2)");
          await tx.query("INSERT OR ROLLBACK INTO t VALUES (1)").catch((error) => codes.push(error.code));
          await tx.query("INSERT INTO t VALUES (3)").catch((error) => codes.push(error.code));
        }).catch((error) => codes.push(error.code));
        return [codes, (await client.query("SELECT n FROM t")).rows];"#,
    );

    let unique = "SQLITE_CONSTRAINT_UNIQUE";
    assert_eq!(got, json!([[unique, unique, "SQLITE_ABORT", "SQLITE_ABORT"], [{ "n": 1 }]]));
}

// -- Where databases are ------------------------------------------------------------------------------

#[test]
fn further_databases_are_files_of_the_project() {
    let handler = r#"
        import { Client, openDatabase } from "liveline:sql";
        export default async function (event) {
          const one = await openDatabase("data/notes.sqlite");
          const same = new Client("./data/../data/notes.sqlite");
          const again = new Client("./data/notes.sqlite");
          await one.exec("CREATE TABLE IF NOT EXISTS notes (n); INSERT INTO notes VALUES (1)");
          const private_ = await openDatabase(":memory:");
          const errors = [];
          for (const path of ["../out.sqlite", "/tmp/out.sqlite", "public/out.sqlite"]) {
            await openDatabase(path).catch((error) => errors.push(error.code));
          }
          await same.query("SELECT 1").catch((error) => errors.push(error.code));
          await private_.query("SELECT * FROM notes").catch((error) => errors.push(error.code));
          const found = (await again.query("SELECT count(*) AS n FROM notes")).rows;
          await one.close();
          await one.query("SELECT 1").catch((error) => errors.push(error.name));
          return { errors, found };
        }"#;
    let host = Site::new()
        .file("app/handler.js", handler)
        .file("public/index.txt", "")
        .file("data/readme.txt", "")
        .serve();

    let answer = host.get("/").json();

    let refused = "SQLITE_CANTOPEN";
    let errors = json!([refused, refused, refused, refused, "SQLITE_ERROR", "SqlError"]);
    assert_eq!(answer, json!({ "errors": errors, "found": [{ "n": 1 }] }));
    assert!(host.site.path("data/notes.sqlite").is_file());
}

#[test]
fn the_default_database_may_be_a_file_that_outlives_the_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite");
    let serve = || site().arg("--database").arg(path.to_str().expect("a path")).serve();

    exec(&serve(), SCHEMA);

    assert_eq!(rows(&serve(), "SELECT count(*) AS n FROM posts"), json!([{ "n": 3 }]));
}

#[test]
fn a_reload_keeps_what_is_in_memory() {
    let host = site().dev();
    exec(&host, SCHEMA);
    let (answer, mut line) = host.open("/live?q=SELECT%20*%20FROM%20authors");

    host.site.write("app/live/handler.js", format!("{LIVE} // changed"));
    host.log.next("reloaded");
    query(&host, "UPDATE authors SET name = 'Al' WHERE id = 1", Value::Null);

    // The old generation's line goes on as well.
    let mut copy = answer.json();
    apply(&mut copy, &line.expect("initial_response.mutate"));
    assert_eq!(copy["rows"], rows(&host, "SELECT * FROM authors"));
    assert_eq!(copy["rows"][0]["name"], "Al");
}

#[test]
fn workers_share_the_database() {
    let live = format!("{LIVE}\nconst me = crypto.randomUUID(); export const POST = () => me;");
    let host = site().file("app/live/handler.js", live).arg("--workers").arg("2").serve();
    exec(&host, SCHEMA);
    let who = || host.request("POST", "/live").send().text().to_owned();

    let first = who();
    let (answer, mut line) = host.open("/live?q=SELECT%20count(*)%20AS%20n%20FROM%20posts");
    // Connections go to the worker with the fewest, so it is the other's turn after some that stay.
    let mut busy = Vec::new();
    let second = (0..1000).find_map(|_| {
        busy.push(host.connect());
        Some(who()).filter(|who| *who != first)
    });
    query(&host, "DELETE FROM posts WHERE id = 1", Value::Null);

    assert!(second.is_some(), "one worker answers everything");
    let mut copy = answer.json();
    apply(&mut copy, &line.expect("initial_response.mutate"));
    assert_eq!(copy, json!({ "rows": [{ "n": 2 }] }));
    drop(busy);
}

#[test]
fn a_database_that_cannot_be_opened_ends_the_command() {
    for (path, message) in [
        ("missing/folder/site.db", "error: the database of liveline:sql cannot be opened: "),
        ("postgres://me:secret@127.0.0.1/site", "`postgres://...` looks like an address"),
    ] {
        let ended = Site::new().file("handler.js", RUN).arg("--database").arg(path).run("serve");

        assert_eq!(ended.code, Some(1), "{}", ended.output());
        assert!(ended.stderr.contains(message), "{}", ended.output());
        assert!(!ended.stderr.contains("secret"), "{}", ended.output());
    }
}
