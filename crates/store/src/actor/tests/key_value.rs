//! Keys and values.

use super::*;

#[test]
fn values_survive_the_instance_and_the_store() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("key", b"value").unwrap();
    assert_eq!(actors.at(id).get("key").unwrap().as_deref(), Some(&b"value"[..]), "before the commit");
    assert!(actors.commit(id));
    assert!(!actors.commit(id), "nothing was written since");
    let id = actors.restart(id, "a");
    assert_eq!(actors.at(id).get("key").unwrap().as_deref(), Some(&b"value"[..]));

    let Actors { files, store, folder, .. } = actors;
    drop((files, store));
    let store = ActorStore::open(&folder.path().join("actors"), StoreOptions::default()).unwrap();
    let mut files = store.files();
    let id = files.start(room("a"), 1).unwrap();
    assert_eq!(files.storage(id).unwrap().get("key").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn an_actor_that_stores_nothing_has_no_file() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    assert_eq!(actors.at(id).get("key").unwrap(), None);
    assert_eq!(actors.at(id).list(&KeyRange::default()).unwrap(), []);
    assert!(!actors.at(id).delete("key").unwrap());
    assert_eq!(actors.at(id).get_alarm().unwrap(), None);
    assert_eq!(actors.at(id).database_size().unwrap(), 0);
    actors.at(id).delete_all(true).unwrap();
    assert!(!actors.commit(id));
    assert!(!room("a").file(actors.store.folder()).exists());
}

#[test]
fn several_keys_at_once() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let pair = |key: &str| (key.to_owned(), key.as_bytes().to_vec());
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    actors.at(id).put_many(&[pair("b"), pair("a"), pair("c")]).unwrap();
    let found = actors.at(id).get_many(&keys(&["c", "x", "a", "c"])).unwrap();
    assert_eq!(found, [pair("a"), pair("c")]);
    assert_eq!(actors.at(id).delete_many(&keys(&["a", "x", "b"])).unwrap(), 2);
    assert!(actors.at(id).delete("c").unwrap());
    assert!(!actors.at(id).delete("c").unwrap());
    let many: Vec<_> = (0..=MAX_KEYS).map(|n| n.to_string()).collect();
    assert!(matches!(actors.at(id).get_many(&many), Err(StorageError::Limit(_))));
    assert!(matches!(actors.at(id).delete_many(&many), Err(StorageError::Limit(_))));
}

#[test]
fn lists_have_ranges_and_the_order_of_bytes() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    for key in ["b", "a", "aa", "ab", "\u{e4}", "B", "\u{1F600}", "\u{ffff}", "c"] {
        actors.at(id).put(key, b"").unwrap();
    }
    let text = |text: &str| Some(text.to_owned());
    let cases: [(KeyRange, &[&str]); 9] = [
        (KeyRange::default(), &["B", "a", "aa", "ab", "b", "c", "\u{e4}", "\u{ffff}", "\u{1F600}"]),
        (
            KeyRange { start: text("ab"), ..KeyRange::default() },
            &["ab", "b", "c", "\u{e4}", "\u{ffff}", "\u{1F600}"],
        ),
        (KeyRange { start_after: text("c"), ..KeyRange::default() }, &["\u{e4}", "\u{ffff}", "\u{1F600}"]),
        (KeyRange { end: text("ab"), ..KeyRange::default() }, &["B", "a", "aa"]),
        (KeyRange { prefix: text("a"), ..KeyRange::default() }, &["a", "aa", "ab"]),
        (KeyRange { prefix: text("a"), reverse: true, ..KeyRange::default() }, &["ab", "aa", "a"]),
        (
            KeyRange { prefix: text("a"), start_after: text("a"), end: text("ab"), ..KeyRange::default() },
            &["aa"],
        ),
        (KeyRange { reverse: true, limit: Some(2), ..KeyRange::default() }, &["\u{1F600}", "\u{ffff}"]),
        (KeyRange { start: text("x"), end: text("b"), ..KeyRange::default() }, &[]),
    ];
    for (range, expected) in cases {
        assert_eq!(texts(actors.at(id).list(&range).unwrap()), expected, "{range:?}");
    }
}

#[test]
fn after_a_prefix_comes_the_next_text() {
    for (prefix, after) in [
        ("a", Some("b")),
        ("a\u{10ffff}", Some("b")),
        ("\u{d7ff}", Some("\u{e000}")),
        ("\u{10ffff}", None),
        ("", None),
    ] {
        assert_eq!(key_value::after_all_with(prefix).as_deref(), after, "{prefix:?}");
    }
}

#[test]
fn values_over_the_limit_are_refused_and_change_nothing() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let largest = vec![7; MAX_PAIR_BYTES - 1];
    actors.at(id).put("k", &largest).unwrap();
    assert!(matches!(actors.at(id).put("kk", &largest), Err(StorageError::Limit(_))));
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    assert!(matches!(actors.at(id).put(&long, b""), Err(StorageError::Limit(_))));
    assert!(matches!(actors.at(id).get(&long), Err(StorageError::Limit(_))));
    let pairs = [("x".to_owned(), vec![]), ("y".to_owned(), vec![0; MAX_PAIR_BYTES])];
    assert!(matches!(actors.at(id).put_many(&pairs), Err(StorageError::Limit(_))));
    actors.commit(id);
    assert_eq!(texts(actors.at(id).list(&KeyRange::default()).unwrap()), ["k"]);
    assert_eq!(actors.at(id).get("k").unwrap().map(|value| value.len()), Some(largest.len()));
}

#[test]
fn everything_is_deleted_with_tables_that_refer_to_each_other() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("key", b"value").unwrap();
    actors.at(id).set_alarm(5).unwrap();
    let sql = "CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT);
               CREATE TABLE child (id REFERENCES parent (id));
               CREATE INDEX \"by \"\"id\" ON child (id);
               CREATE VIEW all_children AS SELECT * FROM child;
               CREATE TRIGGER t AFTER INSERT ON child BEGIN DELETE FROM child WHERE id < 0; END;
               CREATE VIRTUAL TABLE found USING fts5 (text);
               INSERT INTO parent VALUES (1);
               INSERT INTO child VALUES (1);";
    actors.at(id).exec(sql, &[]).unwrap();
    actors.commit(id);
    actors.at(id).delete_all(false).unwrap();
    assert!(actors.commit(id));
    assert_eq!(actors.at(id).get("key").unwrap(), None);
    assert_eq!(actors.at(id).get_alarm().unwrap(), Some(5));
    let left =
        actors.at(id).exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'", &[]);
    let left: Vec<_> = left.unwrap().rows;
    assert_eq!(left.len(), 1, "only SQLite's own table of sequences: {left:?}");
    actors.at(id).exec(sql, &[]).unwrap();
    actors.at(id).delete_all(true).unwrap();
    assert_eq!(actors.at(id).get_alarm().unwrap(), None);
}
