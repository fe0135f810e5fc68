//! The storage of actors: a SQLite file for each, written on the thread of the isolate that runs the actor.
//!
//! | type | what it is |
//! |---|---|
//! | [`ActorStore`] | the folder of the actors' files, shared by all threads |
//! | [`ActorFiles`] | the actors that run on one thread, and a bounded number of their files that are open |
//! | [`ActorStorage`] | what one actor stores: keys and values, SQL, its alarm, its bookmarks |
//! | [`Commit`] | what a turn has written; durable when [`ActorStore::sync`] calls back |
//! | [`AlarmIndex`] | when the alarm of each actor is due, over all files of the folder |
//! | [`Ownership`], [`Lease`] | which process and which incarnation of an actor may write its file |
//!
//! ```text
//!  turn begins ── reads ── first write: BEGIN ── writes ── turn ends: commit() ──▶ Commit
//!                                                                                    │ sync(commit, callback)
//!                          threads of Durability: fdatasync of the WAL, once for several commits ──▶ callback
//! ```
//!
//! **Invariants:** the callback of a commit runs only when the commit is on the disk. A write happens only while
//! the actor's lease is valid. An alarm that is in an actor's file is in the index, or the commit that set it never
//! was acknowledged. Files are found by [`Address`]; no part of a name can leave the folder.

mod address;
mod alarm;
mod bookmark;
mod durability;
mod error;
mod files;
mod key_value;
mod ownership;
mod sql;
mod storage;
mod store;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use alarm::{AlarmIndex, DueAlarm, IndexedAlarm};
pub use bookmark::SnapshotLimits;
pub use durability::Commit;
pub use error::{FileFault, StorageError};
pub use files::{ActorFiles, StorageId};
pub(crate) use key_value::after_all_with;
pub use key_value::{KeyRange, MAX_KEY_BYTES, MAX_KEYS, MAX_PAIR_BYTES};
pub use ownership::{InProcess, Lease, Ownership};
pub use sql::{Cursor, MAX_BINDS};
pub use storage::{ActorStorage, Savepoint};
pub(crate) use store::make_folder;
pub use store::{ActorStore, StoreOptions};
