//! Alarms and their index.

use super::*;

fn index(actors: &Actors) -> Vec<(String, i64)> {
    let all = actors.store.alarms().all().expect("the index");
    all.into_iter().map(|alarm| (alarm.address.id().to_owned(), alarm.due)).collect()
}

fn entry(id: &str, due: i64) -> (String, i64) {
    (id.to_owned(), due)
}

#[test]
fn the_index_has_what_is_committed() {
    let mut actors = Actors::new();
    let (a, b) = (actors.start("a"), actors.start("b"));
    actors.at(a).set_alarm(200).unwrap();
    assert_eq!(actors.at(a).get_alarm().unwrap(), Some(200));
    assert_eq!(index(&actors), []);
    let commit = actors.at(a).commit().unwrap().expect("a write");
    assert_eq!(commit.alarm, Some(Some(200)));
    actors.sync(commit).unwrap();
    actors.at(b).set_alarm(100).unwrap();
    actors.commit(b);
    assert_eq!(index(&actors), [entry("b", 100), entry("a", 200)]);
    actors.at(a).set_alarm(50).unwrap();
    actors.at(a).rollback();
    actors.at(a).put("k", b"").unwrap();
    assert_eq!(actors.at(a).commit().unwrap().expect("a write").alarm, None);
    actors.at(b).delete_alarm().unwrap();
    assert_eq!(actors.at(b).commit().unwrap().expect("a write").alarm, Some(None));
    assert_eq!(index(&actors), [entry("a", 200)]);
}

#[test]
fn an_alarm_stays_until_its_handler_has_succeeded() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).set_alarm(100).unwrap();
    actors.commit(id);
    assert_eq!(actors.at(id).begin_alarm(99).unwrap(), DueAlarm::Later(100));
    assert_eq!(actors.at(id).begin_alarm(150).unwrap(), DueAlarm::Due(100));
    assert_eq!(actors.at(id).get_alarm().unwrap(), None, "while its handler runs");
    assert!(actors.at(id).end_alarm(false).unwrap());
    assert_eq!(actors.at(id).get_alarm().unwrap(), Some(100), "the handler has thrown");

    assert_eq!(actors.at(id).begin_alarm(150).unwrap(), DueAlarm::Due(100));
    let id = actors.restart(id, "a");
    assert_eq!(actors.at(id).begin_alarm(150).unwrap(), DueAlarm::Due(100), "the instance ended meanwhile");
    assert!(actors.at(id).end_alarm(true).unwrap());
    actors.commit(id);
    assert_eq!(index(&actors), []);
    assert_eq!(actors.at(id).begin_alarm(150).unwrap(), DueAlarm::Absent);
}

#[test]
fn a_handler_may_set_the_next_alarm() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).set_alarm(100).unwrap();
    actors.commit(id);
    assert_eq!(actors.at(id).begin_alarm(100).unwrap(), DueAlarm::Due(100));
    actors.at(id).set_alarm(300).unwrap();
    assert_eq!(actors.at(id).get_alarm().unwrap(), Some(300));
    assert!(!actors.at(id).end_alarm(true).unwrap());
    actors.commit(id);
    assert_eq!(index(&actors), [entry("a", 300)]);
}

#[test]
fn a_lost_or_damaged_index_is_made_again() {
    let mut actors = Actors::new();
    for (name, due) in [("a", 3), ("b/c", 2), ("d", 1)] {
        let id = actors.start(name);
        actors.at(id).set_alarm(due).unwrap();
        actors.commit(id);
    }
    let Actors { files, store, folder, .. } = actors;
    drop((files, store));
    let folder_of_actors = folder.path().join("actors");
    let path = folder_of_actors.join("alarms.sqlite");
    for damage in [None, Some(vec![b'x'; 5000])] {
        std::fs::remove_file(&path).unwrap();
        if let Some(bytes) = damage {
            std::fs::write(&path, bytes).unwrap();
        }
        let store = ActorStore::open(&folder_of_actors, StoreOptions::default()).unwrap();
        let due: Vec<_> = store.alarms().all().unwrap().into_iter().map(|alarm| alarm.due).collect();
        assert_eq!(due, [1, 2, 3]);
    }
}

#[test]
fn a_crash_between_the_index_and_the_file_is_repaired() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("k", b"").unwrap();
    actors.commit(id);
    actors.store.alarms().set(&room("a"), 77).unwrap();
    assert_eq!(actors.at(id).begin_alarm(100).unwrap(), DueAlarm::Absent);
    assert_eq!(index(&actors), []);
    actors.at(id).set_alarm(500).unwrap();
    actors.commit(id);
    actors.store.alarms().remove(&room("a")).unwrap();
    let id = actors.restart(id, "a");
    actors.at(id).get("k").unwrap();
    assert_eq!(index(&actors), [entry("a", 500)]);
}
