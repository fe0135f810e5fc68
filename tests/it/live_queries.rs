//! `query(sql, { live: true })`: rows that follow the database.

use serde_json::{Value, json};

use super::sql::{SCHEMA, answer_of, exec, posts, query, rows, site};
use crate::support::{Host, Line, Site, apply};

/// A live query's answer as a client keeps it.
struct Copy {
    body: Value,
    line: Line,
}

impl Copy {
    #[track_caller]
    fn of(host: &Host, sql: &str) -> Copy {
        let encoded = percent_encoding::utf8_percent_encode(sql, percent_encoding::NON_ALPHANUMERIC);
        let (answer, line) = host.open(&format!("/live?q={encoded}"));
        Copy { body: answer.json(), line }
    }

    /// Applies the next change; returns `[type, path, value]` of its records.
    #[track_caller]
    fn follow(&mut self) -> Value {
        let records = self.line.expect("initial_response.mutate");
        apply(&mut self.body, &records);
        let brief = |record: &Value| json!([record["type"], record["path"], record["value"]]);
        records.as_array().expect("records").iter().map(brief).collect()
    }
}

#[test]
fn what_changes_is_what_travels() {
    let host = posts();
    let mut copy = Copy::of(&host, "SELECT id, title FROM posts ORDER BY id");

    query(&host, "INSERT INTO posts (title) VALUES ('four')", Value::Null);
    let inserted = copy.follow();
    query(&host, "UPDATE posts SET title = 'zwei' WHERE id = 2", Value::Null);
    let updated = copy.follow();
    query(&host, "DELETE FROM posts WHERE id = 3", Value::Null);
    let deleted = copy.follow();

    let four = json!({ "id": 4, "title": "four" });
    assert_eq!(inserted, json!([["set", ["rows", "3"], four], ["set", ["rows", "length"], 4]]));
    assert_eq!(updated, json!([["set", ["rows", "1", "title"], "zwei"]]));
    assert_eq!(deleted, json!([["set", ["rows", "2"], four], ["set", ["rows", "length"], 3]]));
    assert_eq!(copy.body["rows"], rows(&host, "SELECT id, title FROM posts ORDER BY id"));
}

#[test]
fn writes_without_a_hook_are_noticed() {
    let host = posts();
    exec(
        &host,
        "CREATE TABLE pairs (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pairs VALUES (1, 1)",
    );
    let mut truncated = Copy::of(&host, "SELECT title FROM posts");
    let mut pairs = Copy::of(&host, "SELECT * FROM pairs");
    let mut cascaded = Copy::of(&host, "SELECT count(*) AS n FROM posts");
    let mut view = Copy::of(&host, "SELECT * FROM (SELECT name FROM authors) LIMIT 9");

    query(&host, "DELETE FROM authors WHERE id = 1", Value::Null);
    cascaded.follow();
    view.follow();
    truncated.follow();
    query(&host, "DELETE FROM posts", Value::Null);
    truncated.follow();
    query(&host, "INSERT INTO pairs VALUES (1, 2)", Value::Null);
    pairs.follow();

    assert_eq!(cascaded.body, json!({ "rows": [{ "n": 1 }] }));
    assert_eq!(view.body, json!({ "rows": [{ "name": "Bob" }, { "name": "Cy" }] }));
    assert_eq!(truncated.body, json!({ "rows": [] }));
    assert_eq!(pairs.body, json!({ "rows": [{ "a": 1, "b": 1 }, { "a": 1, "b": 2 }] }));
}

#[test]
fn a_schema_that_changes_is_followed() {
    let host = posts();
    let mut copy = Copy::of(&host, "SELECT * FROM authors WHERE id = 1");

    exec(&host, "ALTER TABLE authors ADD COLUMN born INTEGER DEFAULT 1815");
    copy.follow();

    assert_eq!(copy.body, json!({ "rows": [{ "id": 1, "name": "Ada", "born": 1815 }] }));
    exec(&host, "DROP TABLE posts; DROP TABLE authors");
    assert_eq!(copy.line.closed(), 4002);
}

#[test]
fn a_transaction_is_one_change_and_a_rollback_none() {
    let handler = r#"
        import { client } from "liveline:sql";
        export async function POST({ request }) {
          const fails = await request.json();
          return await client.transaction(async (tx) => {
            for (let i = 0; i < 5; i++) await tx.query("INSERT INTO posts (title) VALUES ('x')");
            if (fails) throw new Error("no");
            return null;
          }).catch(() => null);
        }"#;
    let host = site().file("app/many/handler.js", handler).serve();
    exec(&host, SCHEMA);
    let mut copy = Copy::of(&host, "SELECT id FROM posts");

    host.request("POST", "/many").json(&json!(true)).send();
    host.request("POST", "/many").json(&json!(false)).send();

    // Five places and the length, in one frame; the rollback left none.
    assert_eq!(copy.follow().as_array().expect("records").len(), 6);
    assert_eq!(copy.body["rows"].as_array().expect("rows").len(), 8);
}

#[test]
fn writes_of_another_process_are_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.sqlite");
    let host = site().arg("--database").arg(path.to_str().expect("a path")).serve();
    exec(&host, SCHEMA);
    let mut copy = Copy::of(&host, "SELECT title FROM posts WHERE id = 1");

    let other = rusqlite::Connection::open(&path).expect("the same file");
    other.busy_timeout(crate::support::PATIENCE).expect("a timeout");
    other.execute("UPDATE posts SET title = 'elsewhere' WHERE id = 1", []).expect("an update");

    assert_eq!(copy.follow(), json!([["set", ["rows", "0", "title"], "elsewhere"]]));
}

#[test]
fn a_live_query_ends_with_its_signal() {
    let host = Site::new()
        .file(
            "app/handler.js",
            r#"
            import { client } from "liveline:sql";
            await client.exec("CREATE TABLE t (n)");
            export default async function (event) {
              const stop = new AbortController();
              const sql = "SELECT n FROM t";
              const [stopped, followed] = await Promise.all([
                client.query(sql, { live: true, signal: stop.signal }),
                client.query(sql, { live: true }),
              ]);
              stop.abort();
              const grown = new Promise((resolve) => Observer.observe(followed.rows, resolve));
              await client.query("INSERT INTO t VALUES (1)");
              await grown;
              const late = await client.query(sql, { live: true, signal: stop.signal }).catch((error) => error.name);
              return [stopped.rows.length, followed.rows.length, late];
            }"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([0, 1, "AbortError"]));
}

#[test]
fn only_what_reads_can_be_live() {
    let got = answer_of(
        r#"
        await client.exec("CREATE TABLE t (n)");
        const codes = [];
        const live = { live: true };
        await client.query("INSERT INTO t VALUES (1)", live).catch((error) => codes.push(error.code));
        await client.query("SELECT n FROM nowhere", live).catch((error) => codes.push(error.code));
        await client.transaction((tx) => tx.query("SELECT n FROM t", live)).catch((error) => codes.push(error.name));
        return [codes, (await client.query("SELECT n FROM t")).rows];"#,
    );

    assert_eq!(got, json!([["SQLITE_MISUSE", "SQLITE_ERROR", "TypeError"], []]));
}

/// What every query below finds once the last write of a random history is there, and not before.
const END: &str = "~END";

const FOLLOWED: [&str; 5] = [
    "SELECT * FROM posts",
    "SELECT * FROM posts WHERE score >= 0 ORDER BY score DESC, id LIMIT 8",
    "SELECT p.id, p.title, a.name, p.score FROM posts p JOIN authors a ON a.id = p.author ORDER BY p.title, p.id",
    "SELECT a.name, count(*) AS n, max(p.title) AS last FROM posts p JOIN authors a ON a.id = p.author \
     GROUP BY a.id ORDER BY n DESC, a.id",
    "SELECT title FROM posts ORDER BY title",
];

#[test]
fn every_copy_equals_a_fresh_query_after_a_random_history() {
    let host = posts();
    let mut copies = FOLLOWED.map(|sql| Copy::of(&host, sql));
    let mut state = 20_261_121_u64;
    let mut random = |below: u64| {
        // Knuth's generator: the same history in every run.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };

    for _ in 0..120 {
        let (id, author, score) = (random(20) + 1, random(3) + 1, random(10) as i64 - 2);
        let title = ["a", "b", "c", "d"][random(4) as usize];
        let sql = match random(8) {
            0..=2 => format!(
                "INSERT INTO posts (title, score, author) VALUES ('{title}', {score}, {author}), ('{title}', {id}, {author})"
            ),
            3 => format!("INSERT OR REPLACE INTO posts VALUES ({id}, '{title}', {score}, {author})"),
            4 => format!("UPDATE posts SET title = '{title}', score = {score} WHERE id = {id}"),
            5 => format!("UPDATE posts SET score = score + 1 WHERE author = {author}"),
            6 => format!("UPDATE authors SET name = name || '{title}' WHERE id = {author}"),
            _ => format!("DELETE FROM posts WHERE id % 5 = {}", id % 5),
        };
        assert_eq!(query(&host, &sql, Value::Null)["error"], Value::Null, "{sql}");
    }
    query(&host, "INSERT INTO posts (title, score, author) VALUES (?, 1000, 1)", json!([END]));

    for (copy, sql) in copies.iter_mut().zip(FOLLOWED) {
        while !copy.body.to_string().contains(END) {
            copy.follow();
        }
        assert_eq!(copy.body["rows"], rows(&host, sql), "{sql}");
    }
}

#[test]
fn a_thousand_rows_take_one_more_in_no_time() {
    let host = posts();
    exec(
        &host,
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1006)
         INSERT INTO posts SELECT i, 'post ' || i, i, 1 FROM n",
    );
    let mut copy = Copy::of(&host, "SELECT * FROM posts ORDER BY id");

    for n in 0..100 {
        query(&host, "INSERT INTO posts (title) VALUES (?)", json!([n]));
        // One place and the length, however many rows there are.
        assert_eq!(copy.follow().as_array().expect("records").len(), 2);
    }

    assert_eq!(copy.body["rows"].as_array().expect("rows").len(), 1100);
}
