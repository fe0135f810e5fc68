//! The storage of actors, on real files.

mod alarms;
mod bookmarks;
mod failures;
mod key_value;
mod sql;
mod transactions;

use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// A folder with actors of one thread.
struct Actors {
    files: ActorFiles,
    store: ActorStore,
    folder: tempfile::TempDir,
    token: u64,
}

impl Actors {
    fn new() -> Actors {
        Actors::with(StoreOptions::default())
    }

    fn with(options: StoreOptions) -> Actors {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ActorStore::open(&folder.path().join("actors"), options).expect("a store");
        Actors { files: store.files(), store, folder, token: 0 }
    }

    fn start(&mut self, id: &str) -> StorageId {
        self.token += 1;
        self.files.start(room(id), self.token).expect("an owner")
    }

    fn at(&mut self, id: StorageId) -> &mut ActorStorage {
        self.files.storage(id).expect("the storage of an actor that was started")
    }

    /// Ends the turn, and waits for the disk.
    fn commit(&mut self, id: StorageId) -> bool {
        match self.at(id).commit().expect("a commit") {
            None => false,
            Some(commit) => {
                self.sync(commit).expect("a durable commit");
                true
            }
        }
    }

    fn sync(&self, commit: Commit) -> Result<(), StorageError> {
        let (done, result) = mpsc::channel();
        self.store.sync(commit, move |synced| drop(done.send(synced)));
        result.recv_timeout(Duration::from_secs(60)).expect("the disk answers")
    }

    /// Ends the instance, and starts the next one.
    fn restart(&mut self, id: StorageId, name: &str) -> StorageId {
        self.files.stop(id);
        self.start(name)
    }
}

fn room(id: &str) -> Address {
    Address::new("Room", id).expect("an address")
}

fn texts(list: Vec<(String, Vec<u8>)>) -> Vec<String> {
    list.into_iter().map(|(key, _)| key).collect()
}
