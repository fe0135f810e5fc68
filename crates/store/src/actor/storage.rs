//! What one actor stores: its file, the transaction of the turn, and savepoints in it.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::alarm::AlarmState;
use super::bookmark;
use super::durability::SyncedFile;
use super::store::make_folder;
use super::{ActorStore, Address, Commit, Lease, StorageError};
use crate::guarded::GuardedConnection;
use crate::{ResultBudget, SqlError};

/// The host's tables in each file. An alarm has the key 1, a name the key 2.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _cf_METADATA (key INTEGER PRIMARY KEY, value);";

/// How deep savepoints may be.
const MAX_SAVEPOINTS: usize = 64;

/// The number of the last commit of the process.
static TICKETS: AtomicU64 = AtomicU64::new(0);

/// What one actor stores. The first write begins a transaction, which [`commit`](ActorStorage::commit) ends at the end
/// of the turn. Dropped, it rolls back what is not committed, and its ownership ends.
///
/// When the file has failed during a statement, when an error has undone what the turn had written, and when a commit
/// has failed, the actor has to be reset: every later call that reads or writes fails with the same error. A statement
/// that has undone earlier writes fails with [`StorageError::File`], also where the file has reached its limit of
/// bytes.
pub struct ActorStorage {
    store: ActorStore,
    address: Address,
    lease: Lease,
    /// Whether the lease ends with this instance; that of a facet is its parent's.
    owns: bool,
    path: PathBuf,
    connection: Option<GuardedConnection>,
    /// Whether the file exists, once that is known.
    exists: Option<bool>,
    savepoints: Vec<Savepoint>,
    /// Whether the outermost savepoint is open in later turns, too.
    spans_turns: bool,
    next_savepoint: u64,
    file: Arc<SyncedFile>,
    pub(super) alarm: AlarmState,
    /// Whether the open transaction may have changed the alarm.
    pub(super) alarm_written: bool,
    /// The bookmark that this turn has requested: its commit makes a snapshot.
    pub(super) bookmark: Option<String>,
    /// The bookmark of the last commit, if there is one.
    pub(super) bookmarked: Option<String>,
    /// What this turn has committed so far.
    committed: Option<Commit>,
    /// Whether a restore that was requested happens when the file is opened: for this instance's first time only.
    pub(super) may_restore: bool,
    /// How many files are open on this thread.
    open_files: Rc<Cell<usize>>,
    /// Why nothing can be read or written until the actor is reset.
    broken: Option<StorageError>,
    /// Whether it was used since the last end of a turn.
    pub(super) is_touched: bool,
    /// When it was used the last time, as a count.
    pub(super) used: u64,
}

/// A part of a transaction that can be rolled back on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint(u64);

impl ActorStorage {
    pub(super) fn new(
        store: ActorStore,
        address: Address,
        lease: Lease,
        owns: bool,
        open_files: Rc<Cell<usize>>,
    ) -> ActorStorage {
        let path = address.file(store.folder());
        ActorStorage {
            file: Arc::new(SyncedFile::new(path.clone(), false)),
            store,
            address,
            lease,
            owns,
            path,
            connection: None,
            exists: None,
            savepoints: Vec::new(),
            spans_turns: false,
            next_savepoint: 0,
            alarm: AlarmState::default(),
            alarm_written: false,
            bookmark: None,
            bookmarked: None,
            committed: None,
            may_restore: true,
            open_files,
            broken: None,
            is_touched: false,
            used: 0,
        }
    }

    /// Begins a part of the transaction that can be rolled back on its own: `transactionSync()`, or `transaction()` if
    /// it `spans_turns`. While there is a savepoint, nothing is committed. What was written before a savepoint that
    /// spans turns is committed first, so that outputs need not wait for its end.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: savepoints are 64 deep, or the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    ///
    /// If the commit before a savepoint fails, the actor has to be reset, as for [`ActorStorage::commit`].
    pub fn savepoint(&mut self, spans_turns: bool) -> Result<Savepoint, StorageError> {
        if self.savepoints.len() == MAX_SAVEPOINTS {
            return Err(StorageError::Limit(format!("transactions may be at most {MAX_SAVEPOINTS} deep")));
        }
        if self.savepoints.is_empty() {
            if spans_turns {
                self.commit_writes()?;
            }
            self.spans_turns = spans_turns;
        }
        let savepoint = Savepoint(self.next_savepoint);
        self.writing(|connection| {
            connection.begin()?;
            connection.host_batch(&format!("SAVEPOINT _cf_{}", savepoint.0))
        })?;
        self.next_savepoint += 1;
        self.savepoints.push(savepoint);
        Ok(savepoint)
    }

    /// Ends a savepoint and keeps its writes in the transaction.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the savepoint has ended, or one that began after it has not.
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn release(&mut self, savepoint: Savepoint) -> Result<(), StorageError> {
        self.end(savepoint, |name| format!("RELEASE {name}"))
    }

    /// Ends a savepoint and undoes its writes.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the savepoint has ended, or one that began after it has not.
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), StorageError> {
        self.end(savepoint, |name| format!("ROLLBACK TO {name}; RELEASE {name}"))
    }

    fn end(&mut self, savepoint: Savepoint, sql: impl Fn(String) -> String) -> Result<(), StorageError> {
        if self.savepoints.last() != Some(&savepoint) {
            let message = "a transaction inside of this one has to end first, or this one has ended already";
            return Err(StorageError::Misuse(message.to_owned()));
        }
        self.writing(|connection| connection.host_batch(&sql(format!("_cf_{}", savepoint.0))))?;
        self.savepoints.pop();
        Ok(())
    }

    /// Whether outputs have to wait for the next commit: there are writes, and no transaction that spans turns is open.
    /// Other code does not run before its end, and its own outputs are sent with what it may still undo.
    pub fn holds_outputs(&self) -> bool {
        self.has_writes() && (self.savepoints.is_empty() || !self.spans_turns)
    }

    /// Whether there are writes that are not committed.
    pub(super) fn has_writes(&self) -> bool {
        self.connection.as_ref().is_some_and(GuardedConnection::is_in_transaction)
    }

    /// Ends the turn: commits what it has written. None if it has written nothing, or if a savepoint is open and
    /// nothing was committed before it. What the instance sends from now on may leave when [`ActorStore::sync`] has
    /// called back for the commit.
    ///
    /// # Errors
    ///
    /// The writes of the turn are rolled back, and the actor has to be reset.
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file, or the index of alarms, cannot be written; or the snapshot of a bookmark
    ///   that this turn has requested cannot: in that case the writes are committed already.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    /// - The error of an earlier call of the instance for which the actor has to be reset.
    pub fn commit(&mut self) -> Result<Option<Commit>, StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.savepoints.is_empty() {
            self.commit_writes()?;
        }
        Ok(self.committed.take())
    }

    /// A bookmark does not have what the turn writes after it was requested: commits what was written before.
    fn commit_before_bookmark(&mut self) -> Result<(), StorageError> {
        match self.bookmark.is_some() && self.savepoints.is_empty() {
            true => self.commit_writes(),
            false => Ok(()),
        }
    }

    fn commit_writes(&mut self) -> Result<(), StorageError> {
        if !self.has_writes() {
            return self.snapshot_if_requested();
        }
        let committed = self.check_lease().and_then(|()| self.commit_and_index());
        let (alarm, index) = committed.inspect_err(|error| {
            if let Some(connection) = &self.connection {
                connection.rollback();
            }
            self.broken = Some(error.clone());
        })?;
        (self.alarm_written, self.bookmarked) = (false, None);
        let ticket = TICKETS.fetch_add(1, Ordering::Relaxed) + 1;
        let commit = Commit { ticket, alarm, file: self.file.clone(), index };
        self.committed = Some(match self.committed.take() {
            Some(earlier) => commit.with(earlier),
            None => commit,
        });
        self.snapshot_if_requested()
    }

    #[expect(clippy::type_complexity, reason = "both parts are fields of a commit")]
    fn commit_and_index(&mut self) -> Result<(Option<Option<i64>>, Option<Arc<SyncedFile>>), StorageError> {
        let alarm = if self.alarm_written { Some(self.stored_alarm()?) } else { None };
        // The index first: it may have an alarm too many, never one too few.
        let index = match alarm {
            Some(Some(due)) => Some(self.store.alarms().set(&self.address, due)?),
            _ => None,
        };
        if let Some(connection) = &self.connection {
            connection.commit().map_err(|error| self.error_of(error))?;
        }
        if alarm == Some(None) {
            self.store.alarms().remove(&self.address)?;
        }
        Ok((alarm, index))
    }

    /// Rolls back what the turn has written. The actor has to be reset.
    pub fn rollback(&mut self) {
        if let Some(connection) = &self.connection {
            connection.rollback();
        }
        self.savepoints.clear();
        (self.alarm, self.alarm_written) = (AlarmState::default(), false);
    }

    /// Whose storage it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn store(&self) -> &ActorStore {
        &self.store
    }

    pub(super) fn results(&self) -> &ResultBudget {
        &self.store.options().results
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn check_lease(&self) -> Result<(), StorageError> {
        match self.lease.is_valid() {
            true => Ok(()),
            false => Err(StorageError::NotOwner(self.address.to_string())),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Closes the file, unless a transaction is open. Returns whether it is closed.
    pub(super) fn close_if_unused(&mut self) -> bool {
        if self.has_writes() {
            return false;
        }
        if let Some(connection) = self.connection.take() {
            self.store.durability().close(&self.path, connection);
            self.open_files.set(self.open_files.get() - 1);
        }
        true
    }

    /// Whether there is a file: an actor that has stored nothing has none.
    pub(super) fn has_file(&mut self) -> bool {
        match self.exists {
            Some(exists) => exists,
            None => {
                let exists = self.path.exists() || self.address.restore(self.store.folder()).exists();
                self.exists = Some(exists);
                exists
            }
        }
    }

    /// Runs reads. None where there is no file.
    pub(super) fn reading<T>(
        &mut self,
        work: impl FnOnce(&GuardedConnection) -> Result<T, SqlError>,
    ) -> Result<Option<T>, StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if !self.has_file() {
            return Ok(None);
        }
        self.with(work).map(Some)
    }

    /// Runs what may write.
    pub(super) fn writing<T>(
        &mut self,
        work: impl FnOnce(&GuardedConnection) -> Result<T, SqlError>,
    ) -> Result<T, StorageError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.check_lease()?;
        self.commit_before_bookmark()?;
        self.with(work)
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&GuardedConnection) -> Result<T, SqlError>,
    ) -> Result<T, StorageError> {
        if self.connection.is_none() {
            self.open()?;
        }
        let connection = self.connection.as_ref().expect("it was opened above");
        let was_in_transaction = connection.is_in_transaction();
        let error = match work(connection) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let is_undone = was_in_transaction && !connection.is_in_transaction();
        let error = self.error_of(error);
        if is_undone || error.is_fatal() {
            // SQLite has rolled back earlier writes of the turn, which the instance believes to be stored.
            self.rollback();
            let error = match error {
                error @ StorageError::File { .. } => error,
                other => StorageError::File {
                    path: self.path.clone(),
                    fault: super::FileFault::Io,
                    message: format!("an error has undone what the turn had written: {other}"),
                },
            };
            self.broken = Some(error.clone());
            return Err(error);
        }
        Err(error)
    }

    fn error_of(&self, error: SqlError) -> StorageError {
        if error.code == "SQLITE_FULL" {
            let most = self.store.options().file_bytes;
            if self.connection.as_ref().is_some_and(GuardedConnection::is_at_limit) {
                let message = format!("the object's storage has reached its limit of {most} bytes");
                return StorageError::Limit(message);
            }
            // SQLite has rolled back what was written, so that the file's size does not show what it was.
            let message = format!(
                "the disk is full, or the file would be larger than its limit of {most} bytes. Nothing of this turn was \
                 stored"
            );
            return StorageError::File { path: self.path.clone(), fault: super::FileFault::Full, message };
        }
        StorageError::of(error, &self.path)
    }

    fn open(&mut self) -> Result<(), StorageError> {
        self.store.durability().wait_closed(&self.path);
        let folder = self.store.folder().to_owned();
        if std::mem::take(&mut self.may_restore) {
            bookmark::restore_if_requested(&self.address, &folder)?;
        }
        let is_new = !self.path.exists();
        if is_new && let Some(parent) = self.path.parent() {
            make_folder(parent)?;
        }
        let failed = |error| StorageError::of(error, &self.path);
        let options = self.store.options();
        let connection =
            GuardedConnection::open(&self.path, options.file_bytes, &options.results).map_err(failed)?;
        let sql = "/*host*/SELECT count(*) FROM sqlite_master WHERE name IN ('_cf_KV', '_cf_METADATA') AND type = 'table'";
        let tables: i64 = connection
            .host(sql)
            .and_then(|mut statement| Ok(statement.query_row([], |row| row.get(0))?))
            .map_err(failed)?;
        if tables < 2 {
            // Also where the process ended while the file was made.
            connection.host_batch(SCHEMA).map_err(failed)?;
            self.file.set_new();
        }
        self.connection = Some(connection);
        self.exists = Some(true);
        self.open_files.set(self.open_files.get() + 1);
        if !is_new {
            let due = self.stored_alarm()?;
            self.index_alarm(due)?;
            self.snapshot_if_due();
        }
        Ok(())
    }
}

impl Drop for ActorStorage {
    fn drop(&mut self) {
        self.rollback();
        self.close_if_unused();
        if self.owns {
            self.store.options().ownership.release(&self.address, self.lease.token());
        }
    }
}
