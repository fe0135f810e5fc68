//! Damaged files, full disks, read-only folders, and the end of the process.

use super::*;

fn fault(error: &StorageError) -> Option<FileFault> {
    match error {
        StorageError::File { fault, .. } => Some(*fault),
        _ => None,
    }
}

#[test]
fn a_damaged_file_is_named_and_harms_no_other() {
    let mut actors = Actors::new();
    let (a, b) = (actors.start("a"), actors.start("b"));
    for id in [a, b] {
        actors.at(id).put("k", b"v").unwrap();
        actors.commit(id);
    }
    actors.files.stop(a);
    let file = room("a").file(actors.store.folder());
    actors.store.durability().wait_closed(&file);
    std::fs::write(&file, [b'x'; 9000]).unwrap();
    let a = actors.start("a");
    let error = actors.at(a).get("k").unwrap_err();
    assert_eq!(fault(&error), Some(FileFault::Corrupt), "{error}");
    assert!(error.is_fatal() && error.to_string().contains(&*file.to_string_lossy()), "{error}");
    assert!(actors.at(a).put("k", b"w").is_err());
    assert_eq!(std::fs::read(&file).unwrap(), [b'x'; 9000], "it is left as it is");
    assert_eq!(actors.at(b).get("k").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_file_that_cannot_be_made_is_an_error() {
    let mut actors = Actors::new();
    let folder = actors.store.folder().to_owned();
    std::fs::write(folder.join("Room"), b"a file in the place of the folder").unwrap();
    let id = actors.start("a");
    let error = actors.at(id).put("k", b"v").unwrap_err();
    assert!(matches!(error, StorageError::File { .. }), "{error}");
    assert!(error.to_string().contains("Room"), "{error}");
    assert!(ActorStore::open(&folder.join("Room"), StoreOptions::default()).is_err());
}

#[test]
fn a_store_that_ends_in_the_middle_of_a_turn_keeps_what_was_committed() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    actors.at(id).put("kept", b"1").unwrap();
    actors.commit(id);
    actors.at(id).put("lost", &[2; 100_000]).unwrap();
    actors.at(id).exec("CREATE TABLE lost (a)", &[]).unwrap();

    // What a process that is killed leaves behind.
    let copy = tempfile::tempdir().unwrap();
    let class = copy.path().join("actors/Room");
    std::fs::create_dir_all(&class).unwrap();
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", room("a").file(actors.store.folder()).display());
        let bytes = std::fs::read(from).unwrap();
        std::fs::write(class.join(format!("a.sqlite{ending}")), bytes).unwrap();
    }
    let store = ActorStore::open(&copy.path().join("actors"), StoreOptions::default()).unwrap();
    let mut files = store.files();
    let id = files.start(room("a"), 1).unwrap();
    let storage = files.storage(id).unwrap();
    assert_eq!(texts(storage.list(&KeyRange::default()).unwrap()), ["kept"]);
    let checked = storage.exec("PRAGMA integrity_check", &[]).unwrap();
    assert_eq!(checked.rows[0][0], crate::Value::Text("ok".to_owned()));
}

#[test]
fn a_wal_that_was_cut_off_loses_only_what_was_not_durable() {
    let mut actors = Actors::new();
    let id = actors.start("a");
    let mut lengths = Vec::new();
    let file = room("a").file(actors.store.folder());
    let wal = durability::wal_of(&file);
    for n in 0..20u8 {
        actors.at(id).put(&format!("{n:02}"), &[n; 3000]).unwrap();
        actors.commit(id);
        lengths.push(std::fs::metadata(&wal).unwrap().len());
    }
    let (database, log) = (std::fs::read(&file).unwrap(), std::fs::read(&wal).unwrap());
    for (n, length) in lengths.iter().enumerate() {
        for cut in [0, 1, 2000] {
            let copy = tempfile::tempdir().unwrap();
            let class = copy.path().join("Room");
            std::fs::create_dir_all(&class).unwrap();
            std::fs::write(class.join("a.sqlite"), &database).unwrap();
            let end = (*length as usize + cut).min(log.len());
            std::fs::write(class.join("a.sqlite-wal"), &log[..end]).unwrap();
            let store = ActorStore::open(copy.path(), StoreOptions::default()).unwrap();
            let mut files = store.files();
            let id = files.start(room("a"), 1).unwrap();
            let keys = texts(files.storage(id).unwrap().list(&KeyRange::default()).unwrap());
            assert!(keys.len() > n, "{} of {} commits after {cut} bytes more", keys.len(), n + 1);
            assert!(keys.iter().enumerate().all(|(n, key)| *key == format!("{n:02}")), "no gap: {keys:?}");
        }
    }
}
