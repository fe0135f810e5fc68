//! Databases: SQLite on threads of their own, and query results that follow what is written. Knows no JavaScript.
//!
//! | type | what it is |
//! |---|---|
//! | [`Databases`] | the default database, and further ones by their paths inside the project |
//! | [`Database`] | one database: its thread and the way to it |
//! | [`Transaction`] | the one transaction that may be open in a database; dropping it rolls back |
//! | [`Follower`] | a live query as its reader holds it: the result, then what changed |
//! | [`Change`] | how a result became the next one |
//! | [`SessionStore`] | what visitors' sessions hold, in memory or in a file |
//!
//! ```text
//!  Database ──job──▶ thread: Connection ──▶ SQLite
//!  Follower ──next─▶         LiveQueries: runs what a commit made stale, once, and only for those who wait
//! ```
//!
//! **Invariant:** nobody else waits for SQLite: a statement runs on its database's thread, and no longer than
//! the limit. A result is run again only when a follower has taken the one before.

mod connection;
mod database;
mod databases;
mod difference;
mod error;
mod live;
mod results;
mod sessions;
mod value;

pub use connection::Outcome;
pub use database::{Database, Follower, Transaction};
pub use databases::{Databases, Location};
pub use difference::Change;
pub use error::SqlError;
pub use live::ResultSet;
pub use results::Results;
pub use sessions::{SessionError, SessionStore, Standing};
pub use value::{Params, Row, Value};
