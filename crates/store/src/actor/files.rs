//! The actors that run on one thread.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use super::{ActorStorage, ActorStore, Address, Commit, Lease, StorageError};

/// An actor that runs on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StorageId(u64);

/// The storage of the actors that run on one thread. A bounded number of their files is open; those that were not used
/// for the longest time and have no open transaction are closed.
pub struct ActorFiles {
    store: ActorStore,
    actors: HashMap<u64, ActorStorage>,
    /// Counts the calls of [`ActorFiles::storage`]; also the source of ids.
    uses: u64,
    /// The actors that were used since the last end of a turn.
    touched: Vec<u64>,
    open: Rc<Cell<usize>>,
}

impl ActorFiles {
    pub(super) fn new(store: ActorStore) -> ActorFiles {
        ActorFiles { store, actors: HashMap::new(), uses: 0, touched: Vec::new(), open: Rc::default() }
    }

    /// An instance of the actor starts: makes this thread the actor's owner, with a token that is higher than those
    /// before. No file is opened yet.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotOwner`] if the actor has an owner with a higher token.
    pub fn start(&mut self, address: Address, token: u64) -> Result<StorageId, StorageError> {
        let lease = self.store.options().ownership.acquire(&address, token)?;
        Ok(self.add(address, lease, true))
    }

    /// A facet of an actor starts, under the actor's lease.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the instance of the parent has ended, or the name is empty.
    /// - [`StorageError::Limit`]: the name is too long, or facets lie too deep in each other, as for
    ///   [`Address::facet`].
    pub fn start_facet(&mut self, parent: StorageId, name: &str) -> Result<StorageId, StorageError> {
        let parent = self.storage(parent)?;
        let (address, lease) = (parent.address().facet(name)?, parent.lease().clone());
        Ok(self.add(address, lease, false))
    }

    fn add(&mut self, address: Address, lease: Lease, owns: bool) -> StorageId {
        self.uses += 1;
        let storage = ActorStorage::new(self.store.clone(), address, lease, owns, self.open.clone());
        self.actors.insert(self.uses, storage);
        StorageId(self.uses)
    }

    /// The storage of an actor that was started.
    ///
    /// # Errors
    ///
    /// [`StorageError::Misuse`] if the instance has ended.
    pub fn storage(&mut self, id: StorageId) -> Result<&mut ActorStorage, StorageError> {
        self.close_unused();
        let storage = self.actors.get_mut(&id.0).ok_or_else(|| {
            StorageError::Misuse("the instance of this object has ended: its storage is closed".to_owned())
        })?;
        self.uses += 1;
        storage.used = self.uses;
        if !storage.is_touched {
            storage.is_touched = true;
            self.touched.push(id.0);
        }
        Ok(storage)
    }

    /// The instance has ended: what it has not committed is rolled back, its file is closed, and its ownership ends.
    pub fn stop(&mut self, id: StorageId) {
        self.actors.remove(&id.0);
    }

    /// Deletes the file of a facet that does not run, and those of its own facets.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the instance of the parent has ended, the facet runs, or the name is empty.
    /// - [`StorageError::Limit`]: the name is too long, or facets lie too deep in each other, as for
    ///   [`Address::facet`].
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: a file or a folder cannot be deleted. Others may be deleted already.
    pub fn delete_facet(&mut self, parent: StorageId, name: &str) -> Result<(), StorageError> {
        let folder = self.store.folder().to_owned();
        let parent = self.storage(parent)?;
        parent.check_lease()?;
        let facet = parent.address().facet(name)?;
        if self.actors.values().any(|it| *it.address() == facet) {
            return Err(StorageError::Misuse(format!(
                "the facet `{name}` runs: abort it before it is deleted"
            )));
        }
        self.store.durability().wait_closed(&facet.file(&folder));
        super::bookmark::delete_files(&facet, &folder)
    }

    /// Commits, at the end of a turn, what the actors have written that were used since the last call. Returns the
    /// actors that have written, each with its commit or with an error of [`ActorStorage::commit`]. After an error the
    /// actor has to be reset.
    pub fn commit_all(&mut self) -> Vec<(StorageId, Result<Commit, StorageError>)> {
        let mut done = Vec::new();
        for id in std::mem::take(&mut self.touched) {
            let Some(storage) = self.actors.get_mut(&id) else { continue };
            storage.is_touched = false;
            match storage.commit() {
                Ok(None) => {}
                Ok(Some(commit)) => done.push((StorageId(id), Ok(commit))),
                Err(error) => done.push((StorageId(id), Err(error))),
            }
        }
        done
    }

    /// How many files are open.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Closes files until no more are open than may be, or all are in a transaction.
    fn close_unused(&mut self) {
        let most = self.store.options().open_files;
        if self.open.get() <= most {
            return;
        }
        let mut open: Vec<_> =
            self.actors.iter().filter(|(_, it)| it.is_open()).map(|(id, it)| (it.used, *id)).collect();
        open.sort_unstable();
        for (_, id) in open {
            if self.open.get() <= most {
                return;
            }
            if let Some(storage) = self.actors.get_mut(&id) {
                storage.close_if_unused();
            }
        }
    }
}
