//! What applications reach by names in their configuration: databases, namespaces of keys, queues.
//!
//! | type | what it is |
//! |---|---|
//! | [`D1Database`] | a database with results as Workers' D1 has them |
//! | [`KvNamespace`] | keys with values, metadata and a time of expiration |
//! | [`Queues`] | messages that are delivered until a consumer acknowledges them |
//! | [`ScriptStore`] | what scripts of aiwebengine keep |
//!
//! **Invariants:** each is a SQLite file that one thread works on. What a call has acknowledged survives the end of the
//! process.

mod d1;
mod kv;
mod queue;
mod scripts;
#[cfg(test)]
mod tests;

pub use d1::{D1Database, D1Exec, D1Meta, D1Result, D1Statement};
pub use kv::{KvEntry, KvKey, KvNamespace, KvPage, KvPut};
pub use queue::{Consumer, NewMessage, QueuedMessage, Queues, Retry, Settled, Taken};
pub use scripts::{ScriptStore, ScriptStoreError};

/// Makes the folder of a file that is going to be opened.
fn make_folder_of(path: &std::path::Path) -> Result<(), crate::SqlError> {
    let made = path.parent().map_or(Ok(()), crate::actor::make_folder);
    made.map_err(|error| crate::SqlError::new("SQLITE_CANTOPEN", error.to_string()))
}
