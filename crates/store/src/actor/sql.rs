//! SQL of actors.

use super::{ActorStorage, StorageError};
use crate::Value;
use crate::guarded::Begin;
pub use crate::guarded::{Cursor, MAX_BINDS};

impl ActorStorage {
    /// Runs any number of statements; the values are bound to the last one, whose rows are returned. The first
    /// statement that writes begins the turn's transaction.
    ///
    /// # Errors
    ///
    /// [`StorageError::Statement`] with one of these codes of SQLite:
    ///
    /// - `SQLITE_INTERRUPT`: all statements of the call together ran for 5 seconds.
    /// - `SQLITE_TOOBIG`: a value or a row has more than 2 MiB and 4 KiB, the SQL of the call more than 100,000 bytes,
    ///   or the result more than [`ResultBudget::most`](crate::ResultBudget::most) (`--max-result`).
    /// - `SQLITE_NOMEM`: all results of the process together would take more bytes than
    ///   [`ResultBudget::budget`](crate::ResultBudget::budget), which is eight times `--max-result`.
    /// - `SQLITE_RANGE`: there are more or fewer values than parameters.
    /// - `SQLITE_MISUSE`: there is no statement, or a statement that is not the last one takes values.
    /// - `SQLITE_AUTH`: a statement begins or ends a transaction, reaches another file (`ATTACH`, `VACUUM`), uses a
    ///   table whose name begins with `_cf_`, a temporary table, or a `PRAGMA`, function or kind of virtual table that
    ///   is not allowed.
    /// - `SQLITE_CONSTRAINT` and codes that begin with it: a statement violates a constraint.
    /// - Any other code: `SQLITE_ERROR` for SQL that SQLite cannot compile, or with more than [`MAX_BINDS`] parameters.
    ///
    /// Other errors:
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    pub fn exec(&mut self, sql: &str, binds: &[Value]) -> Result<Cursor, StorageError> {
        self.writing(|connection| connection.exec(sql, binds, Begin::AtFirstWrite))
    }

    /// Bytes of the pages of the file that are in use; 0 without a file.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn database_size(&mut self) -> Result<u64, StorageError> {
        Ok(self.reading(|connection| connection.size())?.unwrap_or(0))
    }
}
