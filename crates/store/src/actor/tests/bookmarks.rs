//! Bookmarks and restores.

use super::*;

fn value(actors: &mut Actors, id: StorageId) -> Option<String> {
    let value = actors.at(id).get("k").expect("a value");
    value.map(|value| String::from_utf8(value).expect("a text"))
}

/// Snapshots of times soon after 1970 are kept.
fn of_any_age() -> Actors {
    let limits = SnapshotLimits { age: Duration::MAX, every: None, ..SnapshotLimits::default() };
    Actors::with(StoreOptions { snapshots: limits, ..StoreOptions::default() })
}

#[test]
fn an_actor_is_restored_to_a_bookmark_and_back() {
    let mut actors = of_any_age();
    let id = actors.start("a");
    let empty = actors.at(id).current_bookmark(1000).unwrap();
    actors.commit(id);
    actors.at(id).put("k", b"one").unwrap();
    actors.at(id).set_alarm(111).unwrap();
    let one = actors.at(id).current_bookmark(2000).unwrap();
    assert_eq!(actors.at(id).current_bookmark(2001).unwrap(), one, "the same turn");
    actors.commit(id);
    assert_eq!(actors.at(id).current_bookmark(2002).unwrap(), one, "nothing was written since");
    actors.at(id).put("k", b"two").unwrap();
    actors.at(id).delete_alarm().unwrap();
    actors.commit(id);
    assert!(empty < one);

    let two = actors.at(id).restore_at_next_open(&one, 3000).unwrap();
    actors.commit(id);
    assert_eq!(value(&mut actors, id).as_deref(), Some("two"), "until it is opened again");
    let id = actors.restart(id, "a");
    assert_eq!(value(&mut actors, id).as_deref(), Some("one"));
    assert_eq!(actors.at(id).get_alarm().unwrap(), Some(111));
    assert_eq!(actors.store.alarms().all().unwrap().len(), 1, "the index follows");

    actors.at(id).restore_at_next_open(&two, 4000).unwrap();
    actors.commit(id);
    let id = actors.restart(id, "a");
    assert_eq!(value(&mut actors, id).as_deref(), Some("two"));
    actors.at(id).restore_at_next_open(&empty, 5000).unwrap();
    actors.commit(id);
    let id = actors.restart(id, "a");
    assert_eq!(value(&mut actors, id), None);
}

#[test]
fn the_latest_snapshot_before_a_time_is_found() {
    let mut actors = of_any_age();
    let id = actors.start("a");
    let mut names = Vec::new();
    for time in [1000, 2000, 3000] {
        actors.at(id).put("k", time.to_string().as_bytes()).unwrap();
        names.push(actors.at(id).current_bookmark(time).unwrap());
        actors.commit(id);
    }
    let mut at = |time| actors.at(id).bookmark_for_time(time, 9000);
    assert!(at(999).is_err());
    assert_eq!(at(1000).unwrap(), names[0]);
    assert_eq!(at(2999).unwrap(), names[1]);
    assert_eq!(at(8000).unwrap(), names[2]);
    assert!(actors.at(id).restore_at_next_open("../x", 9000).is_err());
}

#[test]
fn snapshots_are_bounded() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let limits = SnapshotLimits { most: 3, age: Duration::from_secs(3600), ..SnapshotLimits::default() };
    let mut actors = Actors::with(StoreOptions { snapshots: limits, ..StoreOptions::default() });
    let id = actors.start("a");
    let mut names = Vec::new();
    for n in 0..6 {
        actors.at(id).put("k", &[n]).unwrap();
        let time = if n == 3 { now - 2 * 3600 * 1000 } else { now + i64::from(n) };
        names.push(actors.at(id).current_bookmark(time).unwrap());
        actors.commit(id);
    }
    let folder = room("a").snapshots(actors.store.folder());
    let kept: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|it| it.file_name()).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(actors.at(id).restore_at_next_open(&names[0], now).is_err(), "too many came after it");
    assert!(actors.at(id).restore_at_next_open(&names[5], now).is_ok());
}

#[test]
fn the_snapshot_of_a_request_is_kept_for_it() {
    let limits = SnapshotLimits { most: 1, age: Duration::MAX, every: None, ..SnapshotLimits::default() };
    let mut actors = Actors::with(StoreOptions { snapshots: limits, ..StoreOptions::default() });
    let id = actors.start("a");
    actors.at(id).put("k", b"one").unwrap();
    let one = actors.at(id).current_bookmark(1000).unwrap();
    actors.commit(id);
    actors.at(id).put("k", b"two").unwrap();
    actors.commit(id);
    actors.at(id).restore_at_next_open(&one, 2000).unwrap();
    actors.commit(id);
    let id = actors.restart(id, "a");
    assert_eq!(value(&mut actors, id).as_deref(), Some("one"));
}

#[test]
fn a_snapshot_is_made_when_the_last_one_is_old() {
    let limits = SnapshotLimits { every: Some(Duration::ZERO), ..SnapshotLimits::default() };
    let mut actors = Actors::with(StoreOptions { snapshots: limits, ..StoreOptions::default() });
    let id = actors.start("a");
    actors.at(id).put("k", b"one").unwrap();
    actors.commit(id);
    let id = actors.restart(id, "a");
    assert_eq!(value(&mut actors, id).as_deref(), Some("one"));
    let (done, wait) = mpsc::channel();
    // The store's threads work in the order of the tasks.
    for _ in 0..2 {
        let done = done.clone();
        actors.store.durability().run(move || {
            let _ = done.send(());
        });
    }
    (0..2).for_each(|_| wait.recv_timeout(Duration::from_secs(60)).expect("the tasks end"));
    let folder = room("a").snapshots(actors.store.folder());
    while std::fs::read_dir(&folder).map_or(0, |all| {
        all.flatten().filter(|it| it.path().extension().is_some_and(|it| it == "sqlite")).count()
    }) == 0
    {
        std::thread::yield_now();
    }
}
