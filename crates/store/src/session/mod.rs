//! What sessions hold: a trait, and its implementations in memory and in a database file. All behave alike.

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

/// How many sessions are kept. Beyond that the one that was renewed first is deleted.
const MAX_SESSIONS: usize = 100_000;

/// Seconds since 1970.
pub type UnixTime = u64;

/// What a store answers, once it has the answer. Boxed, so that stores of several kinds fit behind one pointer.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// Sessions by their ids. A store outlives every isolate and is shared by all of them.
///
/// Methods that take `now` do not look at a clock. A store that cannot be reached answers [`SessionError::Store`].
pub trait SessionStore: Send + Sync {
    /// The state of a session. Where a renewal is due and `may_renew`, the session is renewed.
    fn touch<'a>(&'a self, id: &'a str, now: UnixTime, may_renew: bool) -> StoreFuture<'a, SessionState>;

    /// One value, as JSON.
    fn get<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, Option<String>>;

    /// Sets a value, which is JSON; begins the session if it is new. Fails with [`SessionError::Full`] where the session
    /// has no room for the value.
    fn set<'a>(&'a self, id: &'a str, key: &'a str, json: &'a str, now: UnixTime) -> StoreFuture<'a, ()>;

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

    /// Runs a test with each store.
    async fn each(test: impl AsyncFn(&dyn SessionStore)) {
        test(&MemorySessions::default()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");
        test(&SqliteSessions::open(&path, [7; 32]).expect("a file").0).await;
    }

    #[tokio::test]
    async fn values_are_kept_by_session_and_key() {
        each(async |store| {
            store.set("a", "s/x", "1", NOW).await.expect("room");
            store.set("a", "u/x", "2", NOW).await.expect("room");
            store.set("a", "s/x", "3", NOW).await.expect("room");
            store.set("b", "s/x", "4", NOW).await.expect("room");

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
            store.set("a", "s/x", "1", NOW).await.expect("room");

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
            store.set("a", "s/x", "1", NOW).await.expect("room");
            store.set("other", "s/x", "2", NOW).await.expect("room");

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
            store.set("a", "1", &half, NOW).await.expect("room");
            store.set("a", "2", &half, NOW).await.expect("room");

            assert!(matches!(store.set("a", "3", "1", NOW).await, Err(SessionError::Full)));
            assert_eq!(store.get("a", "3").await, Ok(None));
            store.set("a", "2", "1", NOW).await.expect("less than before");
            store.set("a", "3", "1", NOW).await.expect("room");
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_keeps_its_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");

        let (_, first) = SqliteSessions::open(&path, [1; 32]).expect("a file");
        let (_, second) = SqliteSessions::open(&path, [2; 32]).expect("the same file");

        assert_eq!((&*first, &*second), (&[1; 32][..], &[1; 32][..]));
    }
}
