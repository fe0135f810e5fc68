//! Bindings, on real files.

use std::time::Duration;

use super::*;
use crate::actor::StorageError;
use crate::{ResultBudget, Value};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn statement(sql: &str, binds: &[Value]) -> D1Statement {
    D1Statement { sql: sql.to_owned(), binds: binds.to_vec() }
}

fn int(value: i64) -> Value {
    Value::Integer(value)
}

async fn database(folder: &tempfile::TempDir) -> D1Database {
    let path = folder.path().join("d1/DB.sqlite");
    let database = D1Database::open(&path, &ResultBudget::default()).expect("a database");
    database
        .exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, n UNIQUE)".to_owned())
        .await
        .expect("a table");
    database
}

#[tokio::test]
async fn d1_results_have_rows_and_what_was_done() {
    let folder = folder();
    let database = database(&folder).await;
    let inserted =
        database.query(statement("INSERT INTO t (n) VALUES (?2), (?1)", &[int(8), int(7)])).await.unwrap();
    assert!(inserted.rows.is_empty());
    let meta = inserted.meta;
    assert_eq!((meta.changes, meta.last_row_id, meta.changed_db, meta.rows_written), (2, 2, true, 2));
    assert!(meta.size_after > 0);
    let found = database.query(statement("SELECT n, id, n FROM t ORDER BY id", &[])).await.unwrap();
    assert_eq!(found.columns, ["n", "id", "n"]);
    assert_eq!(found.rows[0].to_vec(), [int(7), int(1), int(7)]);
    assert_eq!((found.meta.changes, found.meta.changed_db, found.meta.rows_read), (0, false, 2));
    let returned = database.query(statement("DELETE FROM t RETURNING id", &[])).await.unwrap();
    assert_eq!((returned.rows.len(), returned.meta.changes), (2, 2));
    let created = database.query(statement("CREATE TABLE u (a)", &[])).await.unwrap();
    assert!(created.meta.changed_db);
}

#[tokio::test]
async fn d1_batches_are_whole_or_not_at_all() {
    let folder = folder();
    let database = database(&folder).await;
    let insert = |n| statement("INSERT INTO t (n) VALUES (?)", &[int(n)]);
    assert!(database.batch(vec![insert(1), insert(2), insert(1)]).await.is_err());
    assert!(database.query(statement("SELECT * FROM t", &[])).await.unwrap().rows.is_empty());
    let results = database.batch(vec![insert(1), statement("SELECT n FROM t", &[])]).await.unwrap();
    assert_eq!(results[1].rows.len(), 1);
    drop(database);
    let database = self::database(&folder).await;
    assert_eq!(database.query(statement("SELECT * FROM t", &[])).await.unwrap().rows.len(), 1);
}

#[tokio::test]
async fn d1_refuses_what_one_statement_cannot_be() {
    let folder = folder();
    let database = database(&folder).await;
    for (sql, binds) in [
        ("SELECT 1; SELECT 2", &[][..]),
        ("", &[]),
        ("SELECT :name", &[int(1)]),
        ("SELECT ?", &[]),
        ("SELECT 1", &[int(1)]),
        ("BEGIN", &[]),
        ("ATTACH 'x' AS x", &[]),
        ("SELECT nothing FROM t", &[]),
    ] {
        assert!(database.query(statement(sql, binds)).await.is_err(), "{sql}");
    }
    let run = "INSERT INTO t (n) VALUES (1);\nINSERT INTO t (n) VALUES (2);\n".to_owned();
    assert_eq!(database.exec(run).await.unwrap().count, 2);
    assert!(database.exec("INSERT INTO t (n) VALUES (3); SELECT nothing".to_owned()).await.is_err());
    assert_eq!(database.query(statement("SELECT * FROM t", &[])).await.unwrap().rows.len(), 3);
    assert!(database.dump().await.unwrap().starts_with(b"SQLite format 3\0"));
}

async fn names(kv: &KvNamespace, prefix: &str, now: i64) -> Vec<String> {
    let page = kv.list(prefix, None, None, now).await.expect("a page");
    page.keys.into_iter().map(|key| key.name).collect()
}

#[tokio::test]
async fn kv_values_have_metadata_and_expire() {
    let folder = folder();
    let path = folder.path().join("kv/NS.sqlite");
    let kv = KvNamespace::open(&path, &ResultBudget::default()).unwrap();
    let put = |ttl, expiration| KvPut { metadata: Some("{\"a\":1}".to_owned()), ttl, expiration };
    kv.put("a", b"1".to_vec(), put(None, None), 1000).await.unwrap();
    kv.put("b", b"2".to_vec(), put(Some(60), None), 1000).await.unwrap();
    kv.put("c", b"3".to_vec(), put(None, Some(1100)), 1000).await.unwrap();
    assert_eq!(names(&kv, "", 1059).await, ["a", "b", "c"]);
    assert_eq!(names(&kv, "", 1060).await, ["a", "c"]);
    assert_eq!(kv.get("b", 1060).await.unwrap(), None);
    let entry = kv.get("c", 1060).await.unwrap().unwrap();
    assert_eq!((entry.value, entry.expiration), (b"3".to_vec(), Some(1100)));
    kv.put("a", b"4".to_vec(), KvPut::default(), 1000).await.unwrap();
    drop(kv);
    let kv = KvNamespace::open(&path, &ResultBudget::default()).unwrap();
    let entry = kv.get("a", 5000).await.unwrap().unwrap();
    assert_eq!((entry.value, entry.metadata, entry.expiration), (b"4".to_vec(), None, None));
    kv.delete("a").await.unwrap();
    kv.delete("a").await.unwrap();
    assert_eq!(names(&kv, "", 5000).await, Vec::<String>::new());
    assert!(kv.put("x", vec![], put(Some(59), None), 1000).await.is_err());
    assert!(kv.put("x", vec![], put(None, Some(1059)), 1000).await.is_err());
    for key in ["", ".", "..", &"k".repeat(513)] {
        assert!(kv.put(key, vec![], KvPut::default(), 0).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn kv_lists_come_in_pages() {
    let folder = folder();
    let kv = KvNamespace::open(&folder.path().join("NS.sqlite"), &ResultBudget::default()).unwrap();
    for n in 0..7 {
        kv.put(&format!("k{n}"), vec![], KvPut::default(), 0).await.unwrap();
    }
    kv.put("other", vec![], KvPut::default(), 0).await.unwrap();
    let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = kv.list("k", cursor, Some(3), 0).await.unwrap();
        found.extend(page.keys.into_iter().map(|key| key.name));
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((found.len(), pages), (7, 3));
    assert!(found.is_sorted());
    assert!(kv.list("", None, Some(1001), 0).await.is_err());
}

fn message(body: &str) -> NewMessage {
    NewMessage { body: body.as_bytes().to_vec(), content_type: "text".to_owned(), delay: 0 }
}

fn batch(taken: Taken) -> Vec<QueuedMessage> {
    match taken {
        Taken::Batch(batch) => batch,
        other => panic!("a batch, not {other:?}"),
    }
}

#[tokio::test]
async fn queue_batches_are_full_or_old_enough() {
    let folder = folder();
    let queues = Queues::open(&folder.path().join("queues.sqlite"), &ResultBudget::default()).unwrap();
    let consumer = Consumer { batch_size: 2, ..Consumer::default() };
    assert_eq!(queues.take("q", &consumer, 0).await.unwrap(), Taken::Empty);
    queues.send("q", vec![message("1")], 1000).await.unwrap();
    assert_eq!(queues.take("q", &consumer, 1000).await.unwrap(), Taken::Wait(6000));
    queues.send("q", vec![message("2"), message("3")], 2000).await.unwrap();
    let first = batch(queues.take("q", &consumer, 2000).await.unwrap());
    assert_eq!(first.iter().map(|it| &*it.body).collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(queues.take("q", &consumer, 2000).await.unwrap(), Taken::Wait(7000));
    let second = batch(queues.take("q", &consumer, 7000).await.unwrap());
    assert_eq!(second.len(), 1);
    queues.settle(&consumer, first.iter().map(|it| it.number).collect(), vec![], 7000).await.unwrap();
    assert_eq!(queues.depth("q").await.unwrap(), 1);
    let delayed = NewMessage { delay: 10, ..message("4") };
    queues.send("other", vec![delayed], 0).await.unwrap();
    assert_eq!(queues.take("other", &consumer, 9000).await.unwrap(), Taken::Wait(15_000));
}

#[tokio::test]
async fn queue_messages_are_retried_and_then_dead() {
    let folder = folder();
    let path = folder.path().join("queues.sqlite");
    let queues = Queues::open(&path, &ResultBudget::default()).unwrap();
    let consumer = Consumer {
        batch_timeout: Duration::ZERO,
        max_retries: 1,
        dead_letters: Some("dead".to_owned()),
        retry_delay: 3,
        ..Consumer::default()
    };
    queues.send("q", vec![message("x")], 0).await.unwrap();
    let first = batch(queues.take("q", &consumer, 0).await.unwrap());
    assert_eq!(first[0].attempts, 1);
    let retry = |number| vec![Retry { number, delay: None }];
    let settled = queues.settle(&consumer, vec![], retry(first[0].number), 0).await.unwrap();
    assert_eq!(settled, Settled { retried: 1, ..Settled::default() });
    assert_eq!(queues.take("q", &consumer, 2999).await.unwrap(), Taken::Wait(3000));
    let second = batch(queues.take("q", &consumer, 3000).await.unwrap());
    assert_eq!(second[0].attempts, 2);

    // The process ends before the batch is settled.
    drop(queues);
    let queues = Queues::open(&path, &ResultBudget::default()).unwrap();
    let third = batch(queues.take("q", &consumer, 3000).await.unwrap());
    assert_eq!(third[0].attempts, 3);
    let settled = queues.settle(&consumer, vec![], retry(third[0].number), 4000).await.unwrap();
    assert_eq!(settled, Settled { dead: 1, ..Settled::default() });
    assert_eq!((queues.depth("q").await.unwrap(), queues.depth("dead").await.unwrap()), (0, 1));
    let last = Consumer { dead_letters: None, max_retries: 0, ..consumer };
    let dead = batch(queues.take("dead", &last, 4000).await.unwrap());
    assert_eq!((dead[0].attempts, &*dead[0].body), (1, &b"x"[..]));
    let settled = queues.settle(&last, vec![], retry(dead[0].number), 4000).await.unwrap();
    assert_eq!(settled, Settled { dropped: 1, ..Settled::default() });
}

#[tokio::test]
async fn queue_limits() {
    let folder = folder();
    let queues = Queues::open(&folder.path().join("queues.sqlite"), &ResultBudget::default()).unwrap();
    let large = |bytes: usize| NewMessage { body: vec![0; bytes], ..message("") };
    for messages in [
        vec![message("x"); 101],
        vec![large(128 * 1024 + 1)],
        vec![large(100 * 1024); 3],
        vec![NewMessage { delay: 43_201, ..message("") }],
    ] {
        assert!(matches!(queues.send("q", messages, 0).await, Err(StorageError::Limit(_))));
    }
    assert_eq!(queues.depth("q").await.unwrap(), 0);
}
