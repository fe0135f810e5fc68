//! SQL.

use super::*;
use crate::Value;

fn int(value: i64) -> Value {
    Value::Integer(value)
}

fn rows(cursor: &Cursor) -> Vec<Vec<Value>> {
    cursor.rows.iter().map(|row| row.to_vec()).collect()
}

#[test]
fn several_statements_and_values_for_the_last() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let sql = "CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 'x;y'), (2, NULL);
               SELECT b, a, a FROM t WHERE a >= ? ORDER BY a -- the end";
    let cursor = actors.at(id).exec(sql, &[int(1)]).unwrap();
    assert_eq!(cursor.columns, ["b", "a", "a"]);
    assert_eq!(
        rows(&cursor),
        [vec![Value::Text("x;y".to_owned()), int(1), int(1)], vec![Value::Null, int(2), int(2)]]
    );
    assert_eq!((cursor.statements, cursor.rows_written), (3, 2));
    assert!(cursor.rows_read >= 2);
    let cursor = actors.at(id).exec("INSERT INTO t VALUES (?, ?) RETURNING a", &[int(7), int(8)]).unwrap();
    assert_eq!((rows(&cursor), cursor.last_row_id, cursor.changes), (vec![vec![int(7)]], 7, 1));
    let cursor = actors.at(id).exec("SELECT ?2 - ?1", &[int(1), int(3)]).unwrap();
    assert_eq!(rows(&cursor), [[int(2)]]);
}

#[test]
fn a_statement_before_the_last_takes_no_values() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).exec("CREATE TABLE t (a)", &[]).unwrap();
    let cases: [(&str, &[Value]); 4] = [
        ("INSERT INTO t VALUES (?); SELECT 1", &[int(1)]),
        ("INSERT INTO t VALUES (?)", &[]),
        ("SELECT 1", &[int(1)]),
        ("SELECT 1; SELECT 2", &[int(1)]),
    ];
    for (sql, binds) in cases {
        assert!(actors.at(id).exec(sql, binds).is_err(), "{sql}");
    }
    for sql in ["", "  ", "-- nothing", ";"] {
        assert!(actors.at(id).exec(sql, &[]).is_err(), "{sql}");
    }
    assert!(actors.at(id).exec("SELECT * FROM t", &[]).unwrap().rows.is_empty(), "nothing was inserted");
}

#[test]
fn what_the_host_needs_is_out_of_reach() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("k", b"v").unwrap();
    actors.at(id).exec("CREATE TABLE t (a)", &[]).unwrap();
    for sql in [
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "SELECT 1; COMMIT",
        "ATTACH 'other.sqlite' AS other",
        "ATTACH ? AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.sqlite'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 5",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('x')",
        "CREATE TEMP TABLE x (a)",
        "CREATE VIRTUAL TABLE x USING dbstat",
        "SELECT * FROM _cf_KV",
        "/*host*/SELECT value FROM _cf_KV WHERE key = 'k'",
        "DELETE FROM _CF_KV",
        "DROP TABLE _cf_METADATA",
        "CREATE TABLE _cf_mine (a)",
        "ALTER TABLE t RENAME TO _cf_t; SELECT * FROM _cf_t",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM _cf_KV; END; INSERT INTO t VALUES (1)",
        "UPDATE sqlite_master SET sql = ''",
    ] {
        let binds: &[Value] = if sql.contains('?') { &[Value::Text("x".to_owned())] } else { &[] };
        let error = actors.at(id).exec(sql, binds).expect_err(sql);
        assert!(matches!(error, StorageError::Statement(_)), "{sql}: {error}");
    }
    for sql in [
        "PRAGMA table_info(t)",
        "PRAGMA foreign_keys",
        "SELECT * FROM pragma_table_info('t')",
        "PRAGMA optimize",
    ] {
        actors.at(id).exec(sql, &[]).expect(sql);
    }
    assert_eq!(actors.at(id).get("k").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn limits_of_statements() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let columns = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ");
    actors.at(id).exec(&format!("CREATE TABLE t ({})", columns(100)), &[]).unwrap();
    assert!(actors.at(id).exec(&format!("CREATE TABLE u ({})", columns(101)), &[]).is_err());
    let sum = |count: usize| vec!["?"; count].join(" IS NULL OR ");
    assert!(
        actors
            .at(id)
            .exec(&format!("SELECT coalesce({})", vec!["?"; 100].join(", ")), &vec![int(1); 100])
            .is_ok()
    );
    assert!(actors.at(id).exec(&format!("SELECT {}", sum(101)), &vec![int(1); 101]).is_err());
    assert!(actors.at(id).exec(&format!("SELECT '{}'", "x".repeat(100_000)), &[]).is_err());
    assert!(actors.at(id).exec("SELECT zeroblob(3000000)", &[]).is_err());
}

#[test]
fn a_value_bound_to_a_setting_lasts_for_the_turn() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).exec("CREATE TABLE p (id PRIMARY KEY); CREATE TABLE c (id REFERENCES p)", &[]).unwrap();
    actors.commit(id);
    actors.at(id).exec("PRAGMA defer_foreign_keys = ON", &[]).unwrap();
    actors.at(id).exec("INSERT INTO c VALUES (1)", &[]).unwrap();
    actors.at(id).exec("INSERT INTO p VALUES (1)", &[]).unwrap();
    assert!(actors.commit(id));
    assert!(actors.at(id).exec("INSERT INTO c VALUES (2)", &[]).is_err(), "the setting has ended");
}

#[test]
fn the_size_has_a_limit() {
    let mut actors = Actors::with(StoreOptions { file_bytes: 200 << 10, ..StoreOptions::default() });
    let id = actors.start("a");
    actors.at(id).put("first", b"1").unwrap();
    actors.commit(id);
    let error =
        (0..100).find_map(|n| actors.at(id).put(&n.to_string(), &[1; 10_000]).err()).expect("a limit");
    assert!(error.to_string().contains("limit"), "{error}");
    if actors.at(id).commit().is_err() {
        let id = actors.restart(id, "a");
        assert_eq!(actors.at(id).get("first").unwrap().as_deref(), Some(&b"1"[..]));
    }
}
