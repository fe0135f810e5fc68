//! What sessions hold: a trait, and its implementations in memory and in a database file. All behave alike.

mod budget;
mod memory;
mod sqlite;

use std::pin::Pin;
use std::time::Duration;

pub use memory::MemorySessions;
pub use sqlite::SqliteSessions;
pub(crate) use sqlite::make_private;

use crate::SqlError;

/// How long a session lives after it was last renewed.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A session that is used is renewed when it was renewed so long ago.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of keys and values (as JSON) that one session may hold.
const MAX_BYTES: usize = 64 * 1024;

/// Seconds since 1970.
pub type UnixTime = u64;

/// What a store answers, once it has the answer. Boxed, so that stores of several kinds fit behind one pointer.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// Sessions by their ids. A store outlives every isolate and is shared by all of them.
///
/// All sessions together may hold so many bytes, of which each counts for 1 KiB besides its values. Where they would hold
/// more, sessions of the network that holds most are removed, first those that were renewed first.
///
/// Methods that take `now` do not look at a clock. A store that cannot be reached answers [`SessionError::Store`].
pub trait SessionStore: Send + Sync {
    /// The state of a session. Where a renewal is due and `may_renew`, the session is renewed.
    fn touch<'a>(&'a self, id: &'a str, now: UnixTime, may_renew: bool) -> StoreFuture<'a, SessionState>;

    /// One value, as JSON.
    fn get<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, Option<String>>;

    /// Sets a value, which is JSON. Begins the session if it is new, as that of a client in `network`.
    ///
    /// # Errors
    ///
    /// [`SessionError::Full`] if the keys and values of the session would have more than 64 KiB together.
    fn set<'a>(
        &'a self,
        id: &'a str,
        key: &'a str,
        json: &'a str,
        network: u64,
        now: UnixTime,
    ) -> StoreFuture<'a, ()>;

    /// Removes a value. Returns whether there was one.
    fn delete<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, bool>;

    /// Moves all values of a session to another id, as one change, and deletes the old id.
    fn rename<'a>(&'a self, old: &'a str, new: &'a str, now: UnixTime) -> StoreFuture<'a, ()>;

    /// The keys that begin with `prefix`, in order, and their values.
    fn entries<'a>(&'a self, id: &'a str, prefix: &'a str) -> StoreFuture<'a, Vec<(String, String)>>;
}

/// The state of a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// There is no session of this id, or it has expired.
    Unknown,
    /// The session exists.
    Known,
    /// The session exists and was renewed for a whole lifetime: its cookie has to be sent anew.
    Renewed,
}

impl SessionState {
    /// The state at `now` of a session that was last renewed at `renewed`.
    fn of(renewed: UnixTime, now: UnixTime, may_renew: bool) -> SessionState {
        match renewed {
            _ if renewed < oldest(now) => SessionState::Unknown,
            _ if may_renew && renewed < renewal_due(now) => SessionState::Renewed,
            _ => SessionState::Known,
        }
    }
}

/// A session that was last renewed before this time has expired.
fn oldest(now: UnixTime) -> UnixTime {
    now.saturating_sub(SESSION_LIFETIME.as_secs())
}

/// A session that was last renewed before this time is renewed when it is used.
fn renewal_due(now: UnixTime) -> UnixTime {
    now.saturating_sub(RENEW_AFTER.as_secs())
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session has no room for the value.
    #[error("the session would hold more than {MAX_BYTES} bytes")]
    Full,
    /// The store failed, with its message.
    #[error("the sessions could not be stored: {0}")]
    Store(String),
}

impl From<SqlError> for SessionError {
    fn from(error: SqlError) -> Self {
        SessionError::Store(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = 2_000_000_000;
    const DAY: UnixTime = 24 * 60 * 60;
    const HERE: u64 = 1;
    const LIMIT: usize = 256 * 1024;

    /// Runs a test with each store.
    async fn each(test: impl AsyncFn(&dyn SessionStore)) {
        test(&MemorySessions::new(LIMIT)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");
        test(&SqliteSessions::open(&path, [7; 32], LIMIT).expect("a file").0).await;
    }

    #[tokio::test]
    async fn values_are_kept_by_session_and_key() {
        each(async |store| {
            store.set("a", "s/x", "1", HERE, NOW).await.expect("room");
            store.set("a", "u/x", "2", HERE, NOW).await.expect("room");
            store.set("a", "s/x", "3", HERE, NOW).await.expect("room");
            store.set("b", "s/x", "4", HERE, NOW).await.expect("room");

            assert_eq!(store.get("a", "s/x").await, Ok(Some("3".to_owned())));
            assert_eq!(store.get("c", "s/x").await, Ok(None));
            let entries = store.entries("a", "s/").await.expect("entries");
            assert_eq!(entries, [("s/x".to_owned(), "3".to_owned())]);
            assert_eq!(store.delete("a", "s/x").await, Ok(true));
            assert_eq!(store.delete("a", "s/x").await, Ok(false));
            assert_eq!(store.get("b", "s/x").await, Ok(Some("4".to_owned())));
        })
        .await;
    }

    #[tokio::test]
    async fn a_session_that_is_used_lives_on_and_else_expires() {
        each(async |store| {
            store.set("a", "s/x", "1", HERE, NOW).await.expect("room");

            assert_eq!(store.touch("b", NOW, true).await, Ok(SessionState::Unknown));
            assert_eq!(store.touch("a", NOW + DAY, true).await, Ok(SessionState::Known));
            assert_eq!(store.touch("a", NOW + 29 * DAY, false).await, Ok(SessionState::Known));
            assert_eq!(store.touch("a", NOW + 29 * DAY, true).await, Ok(SessionState::Renewed));
            assert_eq!(store.touch("a", NOW + 30 * DAY, true).await, Ok(SessionState::Known));
            assert_eq!(store.touch("a", NOW + 60 * DAY, true).await, Ok(SessionState::Unknown));
        })
        .await;
    }

    #[tokio::test]
    async fn a_session_gets_another_id() {
        each(async |store| {
            store.set("a", "s/x", "1", HERE, NOW).await.expect("room");
            store.set("other", "s/x", "2", HERE, NOW).await.expect("room");

            store.rename("a", "b", NOW + 1).await.expect("a rename");
            store.rename("nobody", "c", NOW + 1).await.expect("nothing to rename");

            assert_eq!(store.get("b", "s/x").await, Ok(Some("1".to_owned())));
            assert_eq!(store.get("a", "s/x").await, Ok(None));
            assert_eq!(store.get("other", "s/x").await, Ok(Some("2".to_owned())));
            for (id, state) in
                [("a", SessionState::Unknown), ("b", SessionState::Known), ("c", SessionState::Unknown)]
            {
                assert_eq!(store.touch(id, NOW + 2, true).await, Ok(state), "{id}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_session_holds_so_much() {
        each(async |store| {
            let half = "x".repeat(MAX_BYTES / 2 - 1);
            store.set("a", "1", &half, HERE, NOW).await.expect("room");
            store.set("a", "2", &half, HERE, NOW).await.expect("room");

            assert!(matches!(store.set("a", "3", "1", HERE, NOW).await, Err(SessionError::Full)));
            assert_eq!(store.get("a", "3").await, Ok(None));
            store.set("a", "2", "1", HERE, NOW).await.expect("less than before");
            store.set("a", "3", "1", HERE, NOW).await.expect("room");
        })
        .await;
    }

    #[tokio::test]
    async fn many_sessions_of_one_network_make_room_for_each_other() {
        each(async |store| {
            let (there, value) = (HERE + 1, "x".repeat(1024));
            store.set("first", "s/x", "1", HERE, NOW).await.expect("room");
            for n in 0..1000 {
                store.set(&format!("many {n}"), "s/x", &value, there, NOW + n).await.expect("room");
            }
            let mut kept = 0;
            for n in 0..1000 {
                let state = store.touch(&format!("many {n}"), NOW + 1000, true).await;
                kept += u64::from(state == Ok(SessionState::Known));
                assert_eq!(state == Ok(SessionState::Known), n >= 1000 - 127, "{n}");
            }
            assert_eq!(kept, 127);
            assert_eq!(store.get("first", "s/x").await, Ok(Some("1".to_owned())));

            // What is deleted, renamed or smaller makes room as well.
            store.rename("many 999", "renamed", NOW + 1000).await.expect("a rename");
            for n in 990..999 {
                store.delete(&format!("many {n}"), "s/x").await.expect("a session");
            }
            for n in 0..4 {
                store.set(&format!("more {n}"), "s/x", &value, there, NOW + 1001).await.expect("room");
            }
            assert_eq!(store.touch("many 873", NOW + 1002, true).await, Ok(SessionState::Known));
            // Another network fills the store; the network with one small session keeps it.
            for n in 0..1000 {
                store.set(&format!("other {n}"), "s/x", &value, there + 1, NOW + 1002).await.expect("room");
            }
            assert_eq!(store.touch("first", NOW + 1003, true).await, Ok(SessionState::Known));
            assert_eq!(store.touch("renamed", NOW + 1003, true).await, Ok(SessionState::Known));
        })
        .await;
    }

    #[tokio::test]
    async fn sessions_of_many_networks_make_room_for_each_other() {
        each(async |store| {
            let value = "x".repeat(16 * 1024);
            let mut kept = 0;
            for n in 0..100 {
                store.set(&format!("{n}"), "s/x", &value, n, NOW + n).await.expect("room");
            }
            for n in 0..100 {
                kept += usize::from(
                    store.touch(&format!("{n}"), NOW + 100, true).await == Ok(SessionState::Known),
                );
            }
            assert_eq!(kept, LIMIT / (17 * 1024 + 3));
        })
        .await;
    }

    #[tokio::test]
    async fn expired_sessions_make_room() {
        each(async |store| {
            let value = "x".repeat(1024);
            store.set("first", "s/x", &value, HERE, NOW).await.expect("room");
            for n in 0..100 {
                store.set(&format!("{n}"), "s/x", &value, HERE + n, NOW + 10 * DAY).await.expect("room");
            }
            let late = NOW + 30 * DAY + 1;
            store.set("last", "s/x", &value, HERE, late).await.expect("room");
            assert_eq!(store.get("first", "s/x").await, Ok(None));
            assert_eq!(store.touch("0", late, false).await, Ok(SessionState::Known));
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_remembers_what_its_sessions_hold() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");
        let value = "x".repeat(1024);
        let (store, _) = SqliteSessions::open(&path, [1; 32], LIMIT).expect("a file");
        for n in 0..100 {
            store.set(&format!("{n}"), "s/x", &value, HERE, NOW + n).await.expect("room");
        }
        drop(store);

        let (store, _) = SqliteSessions::open(&path, [1; 32], LIMIT / 2).expect("the same file");
        store.set("other", "s/x", &value, HERE + 1, NOW).await.expect("room");

        assert_eq!(store.touch("0", NOW, false).await, Ok(SessionState::Unknown));
        assert_eq!(store.touch("99", NOW, false).await, Ok(SessionState::Known));
        assert_eq!(store.touch("other", NOW, false).await, Ok(SessionState::Known));
    }

    #[tokio::test]
    async fn a_file_of_an_earlier_version_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");
        let earlier = rusqlite::Connection::open(&path).expect("a file");
        let schema = "CREATE TABLE liveline_sessions (id TEXT PRIMARY KEY, renewed INTEGER NOT NULL);
            CREATE TABLE liveline_session_values (session TEXT NOT NULL REFERENCES liveline_sessions ON DELETE CASCADE,
              key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (session, key)) WITHOUT ROWID;
            INSERT INTO liveline_sessions VALUES ('a', 2000000000);
            INSERT INTO liveline_session_values VALUES ('a', 's/x', '1');";
        earlier.execute_batch(schema).expect("the tables");
        drop(earlier);

        let (store, _) = SqliteSessions::open(&path, [1; 32], LIMIT).expect("the same file");
        store.set("a", "s/y", "2", HERE, NOW).await.expect("room");

        let all = store.entries("a", "s/").await.expect("entries");
        assert_eq!(all, [("s/x", "1"), ("s/y", "2")].map(|(key, json)| (key.to_owned(), json.to_owned())));
    }

    #[tokio::test]
    async fn a_file_keeps_its_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");

        let (_, first) = SqliteSessions::open(&path, [1; 32], LIMIT).expect("a file");
        let (_, second) = SqliteSessions::open(&path, [2; 32], LIMIT).expect("the same file");

        assert_eq!((&*first, &*second), (&[1; 32][..], &[1; 32][..]));
    }
}
