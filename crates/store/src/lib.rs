//! What Liveline stores: SQLite databases on threads of their own, live queries whose results follow the tables, and
//! sessions. The crate depends on no JavaScript engine.
//!
//! | type | what it is |
//! |---|---|
//! | [`Databases`] | the default database, and others by their paths inside the project |
//! | [`Database`] | the handle of one database, which sends tasks to its thread |
//! | [`Transaction`] | the one transaction that may be open in a database; dropping it rolls back |
//! | [`Follower`] | the subscription to a live query: its result, then one change after the other |
//! | [`Change`] | the difference between two results of a live query |
//! | [`actor`] | a SQLite file for each actor, alarms, durability |
//! | [`bindings`] | D1 databases, namespaces of keys, queues |
//! | [`SessionStore`] | the values of visitors' sessions: [`MemorySessions`], [`SqliteSessions`] |
//! | [`TopicStore`] | topics and their messages, written by one thread in groups |
//!
//! ```text
//!  Database ──task─▶ DatabaseThread: SqliteConnection ──▶ SQLite
//!  Follower ──next─▶                 LiveQueries: after a commit, each stale query that a follower waits for runs once
//! ```
//!
//! **Invariants:** a statement runs on its database's thread and no longer than the limit, so no other thread waits
//! for SQLite. A live query runs again only after a follower has received the result before.

#![warn(missing_docs, clippy::missing_errors_doc)]

pub mod actor;
pub mod bindings;
mod database;
mod databases;
mod difference;
mod error;
mod guarded;
mod live_query;
mod results;
mod session;
mod sqlite;
mod thread;
mod topic;
mod value;

pub use database::{Database, Follower, Transaction};
pub use databases::{Databases, Location};
pub use difference::Change;
pub use error::SqlError;
pub use live_query::ResultSet;
pub use results::{HeldResult, ResultBudget};
pub use session::{
    MemorySessions, SESSION_LIFETIME, SessionError, SessionState, SessionStore, SqliteSessions, StoreFuture,
    UnixTime,
};
pub use sqlite::Outcome;
pub use topic::{MessageRow, StoredTopic, StoredTopics, TopicStore, TopicWrite};
pub use value::{Params, Row, Value};
