//! SQL of actors.

use super::{ActorStorage, StorageError};
use crate::Value;
use crate::guarded::Begin;
pub use crate::guarded::{Cursor, MAX_BINDS};

impl ActorStorage {
    /// Runs any number of statements; the values are bound to the last one, whose rows are returned. The first
    /// statement that writes begins the turn's transaction.
    pub fn exec(&mut self, sql: &str, binds: &[Value]) -> Result<Cursor, StorageError> {
        self.writing(|connection| connection.exec(sql, binds, Begin::AtFirstWrite))
    }

    /// Bytes of the file's pages that are in use.
    pub fn database_size(&mut self) -> Result<u64, StorageError> {
        Ok(self.reading(|connection| connection.size())?.unwrap_or(0))
    }
}
