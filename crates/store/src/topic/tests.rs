//! What a file has after the process that wrote it is gone.

use std::sync::mpsc;

use super::*;

fn flush(store: &TopicStore) {
    let (done, wait) = mpsc::channel();
    store.report(move |stored| done.send(stored).unwrap());
    wait.recv().unwrap().unwrap();
}

fn row(id: u64) -> MessageRow {
    MessageRow { id, shared: id + 10, properties: "{}".to_owned(), data: format!("data {id}").into() }
}

#[test]
fn a_file_has_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topics.sqlite");
    let (store, stored) = TopicStore::open(&path).unwrap();
    assert_eq!(stored, StoredTopics::default());
    let (a, b) = ("/a".to_owned(), "/b".to_owned());
    store.write(TopicWrite::Hub(7));
    for topic in [&a, &b] {
        let head = TopicWrite::Head { topic: topic.clone(), head: "{}".to_owned(), base: 0, dropped: 0 };
        store.write(head);
        for id in 1..=5 {
            store.write(TopicWrite::Message { topic: topic.clone(), row: row(id) });
        }
        store.write(TopicWrite::Producer { topic: topic.clone(), id: "p".to_owned(), state: "1".to_owned() });
        store.write(TopicWrite::Producer { topic: topic.clone(), id: "p".to_owned(), state: "2".to_owned() });
    }
    store.write(TopicWrite::Trim { topic: a.clone(), base: 3, dropped: 13, retained: Some(2) });
    store.write(TopicWrite::Remove { topic: b });
    flush(&store);
    drop(store);

    let (_, stored) = TopicStore::open(&path).unwrap();
    let topic = StoredTopic {
        name: a,
        head: "{}".to_owned(),
        base: 3,
        dropped: 13,
        messages: vec![row(2), row(4), row(5)],
        producers: vec![("p".to_owned(), "2".to_owned())],
    };
    assert_eq!(stored, StoredTopics { epoch: Some(7), topics: vec![topic] });
}

#[test]
fn writes_wait_until_they_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = TopicStore::open(&folder.path().join("topics.sqlite")).unwrap();
    assert_eq!(store.waiting(), 0);
    // The thread is held, so that what comes next waits.
    let (go, wait) = mpsc::channel::<()>();
    store.report(move |_| _ = wait.recv());
    store.write(TopicWrite::Message { topic: "/a".to_owned(), row: row(1) });
    assert!(store.waiting() >= row(1).data.len());
    go.send(()).unwrap();
    flush(&store);
    assert_eq!(store.waiting(), 0);
}

#[test]
fn all_who_wait_learn_that_writes_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topics.sqlite");
    let (store, _) = TopicStore::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE liveline_topic_messages").unwrap();
    // The thread is held, so that all of this is one group.
    let (go, wait) = mpsc::channel::<()>();
    store.report(move |_| _ = wait.recv());
    let (done, stored) = mpsc::channel();
    for id in [1, 2] {
        let done = done.clone();
        store.write(TopicWrite::Message { topic: "/a".to_owned(), row: row(id) });
        store.report(move |stored| done.send(stored.is_ok()).unwrap());
    }
    go.send(()).unwrap();

    assert_eq!([stored.recv().unwrap(), stored.recv().unwrap()], [false, false]);
}

#[test]
fn a_file_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "this is no database, but a text that is long enough to be read as one").unwrap();
    assert!(TopicStore::open(&path).is_err());
}
