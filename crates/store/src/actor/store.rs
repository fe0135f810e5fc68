//! The folder of the actors' files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::durability::Durability;
use super::{ActorFiles, AlarmIndex, Commit, InProcess, Ownership, SnapshotLimits, StorageError};
use crate::ResultBudget;

/// Limits of the actors' files.
#[derive(Clone)]
pub struct StoreOptions {
    /// How many files are open on one thread.
    pub open_files: usize,
    /// Bytes that one actor's file may have.
    pub file_bytes: u64,
    /// How many snapshots of an actor are kept, and how long.
    pub snapshots: SnapshotLimits,
    /// The memory of results.
    pub results: ResultBudget,
    /// Who decides which owner an actor has.
    pub ownership: Arc<dyn Ownership>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            open_files: 128,
            file_bytes: 10 << 30,
            snapshots: SnapshotLimits::default(),
            results: ResultBudget::default(),
            ownership: Arc::new(InProcess::default()),
        }
    }
}

/// The files of all actors of a project. Clones share them.
#[derive(Clone)]
pub struct ActorStore(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    options: StoreOptions,
    alarms: AlarmIndex,
    durability: Durability,
}

impl ActorStore {
    /// Opens the folder, made if there is none, and the index of its alarms.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the folder or the index cannot be created or opened, or no thread could start. An
    ///   index that is damaged is no error: it is made again.
    /// - [`StorageError::Statement`]: SQLite reports another code for the index, such as `SQLITE_BUSY` after another
    ///   connection has locked it for 5 seconds.
    pub fn open(folder: &Path, options: StoreOptions) -> Result<ActorStore, StorageError> {
        make_folder(folder)?;
        let durability = Durability::start().map_err(|error| StorageError::io(&error, folder))?;
        let alarms = AlarmIndex::open(folder)?;
        Ok(ActorStore(Arc::new(Shared { folder: folder.to_owned(), options, alarms, durability })))
    }

    /// The files of one thread's actors.
    pub fn files(&self) -> ActorFiles {
        ActorFiles::new(self.clone())
    }

    /// When the alarms of all actors are due: to be read once at the start.
    pub fn alarms(&self) -> &AlarmIndex {
        &self.0.alarms
    }

    /// Calls back when the commit is on the disk, or when that failed: then the actor has to be reset, and what
    /// depends on the commit must not leave. The callback runs on a thread of the store and should only send a message.
    pub fn sync(&self, commit: Commit, callback: impl FnOnce(Result<(), StorageError>) + Send + 'static) {
        self.0.durability.sync(commit, Box::new(callback));
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    pub(super) fn options(&self) -> &StoreOptions {
        &self.0.options
    }

    pub(super) fn durability(&self) -> &Durability {
        &self.0.durability
    }
}

/// Makes a folder that other users of the machine cannot read, and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), StorageError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| StorageError::io(&error, folder))
}
