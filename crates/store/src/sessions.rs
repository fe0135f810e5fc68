//! What sessions hold, in memory or in a database file. Both behave alike; time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::connection::Connection;
use super::{Database, Params, Results, Row, SqlError, Value};

/// How long a session lives after it was last renewed.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A session that is used is renewed when it has not been for so long.
const RENEW_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What one session may hold: its keys and values, as JSON.
const MAX_BYTES: usize = 64 * 1024;

/// How many sessions are kept. The one that was renewed first goes first.
const MAX_SESSIONS: usize = 100_000;

/// The tables, in a file that may be somebody's for other purposes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS liveline_keys (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS liveline_sessions (id TEXT PRIMARY KEY, renewed INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS liveline_sessions_renewed ON liveline_sessions (renewed);
    CREATE TABLE IF NOT EXISTS liveline_session_values (
      session TEXT NOT NULL REFERENCES liveline_sessions ON DELETE CASCADE,
      key TEXT NOT NULL,
      json TEXT NOT NULL,
      PRIMARY KEY (session, key)
    ) WITHOUT ROWID;";

/// Sessions by their ids. Clones share them, so they outlive every isolate.
#[derive(Clone)]
pub enum SessionStore {
    Memory(Memory),
    File(Database),
}

/// How a session id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nobody's, or not any more.
    Unknown,
    Known,
    /// Known, and from now on for a whole lifetime again: its cookie should say so, too.
    Renewed,
}

/// Why a value was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("the session would hold more than {MAX_BYTES} bytes")]
    Full,
    #[error("the sessions could not be stored: {0}")]
    Store(#[from] SqlError),
}

/// Seconds since 1970.
type Time = u64;

impl SessionStore {
    /// How long a session lives after it was last renewed.
    pub const LIFETIME: Duration = LIFETIME;

    pub fn in_memory() -> SessionStore {
        SessionStore::Memory(Memory::default())
    }

    /// Sessions in a file, and the secret that belongs to them: `fresh` unless the file has one.
    pub fn in_file(path: &Path, fresh: [u8; 32]) -> Result<(SessionStore, Vec<u8>), SqlError> {
        make_private(path)?;
        let (database, key) = Database::open_with(Some(path), &Results::default(), move |connection| {
            connection.exec(SCHEMA)?;
            let fresh = vec![Value::Blob(fresh.to_vec())];
            run(connection, "INSERT OR IGNORE INTO liveline_keys VALUES ('session', ?)", fresh)?;
            let rows = run(connection, "SELECT value FROM liveline_keys WHERE name = 'session'", vec![])?;
            match rows.first().map(|row| &row[0]) {
                Some(Value::Blob(key)) => Ok(key.clone()),
                _ => Err(SqlError::new("SQLITE_CORRUPT", "the key of the sessions is no blob")),
            }
        })?;
        Ok((SessionStore::File(database), key))
    }

    /// How a session stands, and renews it where that is due and the visitor can still be told.
    pub async fn touch(&self, id: &str, now: Time, may_renew: bool) -> Result<Standing, SqlError> {
        let oldest = now.saturating_sub(LIFETIME.as_secs());
        let due = if may_renew { now.saturating_sub(RENEW_AFTER.as_secs()) } else { 0 };
        let standing = |renewed: u64| match renewed {
            _ if renewed < oldest => Standing::Unknown,
            _ if renewed < due => Standing::Renewed,
            _ => Standing::Known,
        };
        match self {
            SessionStore::Memory(memory) => {
                Ok(memory.lock().get_mut(id).map_or(Standing::Unknown, |session| {
                    let standing = standing(session.renewed);
                    if standing == Standing::Renewed {
                        session.renewed = now;
                    }
                    standing
                }))
            }
            SessionStore::File(database) => {
                let id = text(id);
                let rows = database
                    .with(move |connection| {
                        let sql = "UPDATE liveline_sessions SET renewed = ? WHERE id = ? AND renewed BETWEEN ? AND ?";
                        let select = "SELECT renewed FROM liveline_sessions WHERE id = ?";
                        let before = run(connection, select, vec![id.clone()])?;
                        if due > 0 {
                            run(connection, sql, vec![time(now), id, time(oldest), time(due - 1)])?;
                        }
                        Ok(before)
                    })
                    .await?;
                Ok(match rows.first().map(|row| &row[0]) {
                    Some(Value::Integer(renewed)) => standing(renewed.cast_unsigned()),
                    _ => Standing::Unknown,
                })
            }
        }
    }

    /// One value, as JSON.
    pub async fn get(&self, id: &str, key: &str) -> Result<Option<String>, SqlError> {
        match self {
            SessionStore::Memory(memory) => {
                Ok(memory.lock().get(id).and_then(|session| session.values.get(key).cloned()))
            }
            SessionStore::File(database) => {
                let sql = "SELECT json FROM liveline_session_values WHERE session = ? AND key = ?";
                let params = vec![text(id), text(key)];
                let rows = database.with(move |connection| run(connection, sql, params)).await?;
                Ok(rows.first().and_then(|row| string(&row[0])))
            }
        }
    }

    /// Sets a value; begins the session if it is new.
    pub async fn set(&self, id: &str, key: &str, json: &str, now: Time) -> Result<(), SessionError> {
        match self {
            SessionStore::Memory(memory) => memory.set(id, key, json, now),
            SessionStore::File(database) => {
                let (id, key, json) = (text(id), text(key), text(json));
                let is_set = database.with(move |connection| set(connection, id, key, json, now)).await?;
                if is_set { Ok(()) } else { Err(SessionError::Full) }
            }
        }
    }

    /// Removes a value. Says whether there was one.
    pub async fn delete(&self, id: &str, key: &str) -> Result<bool, SqlError> {
        match self {
            SessionStore::Memory(memory) => {
                Ok(memory.lock().get_mut(id).is_some_and(|session| session.values.remove(key).is_some()))
            }
            SessionStore::File(database) => {
                let sql = "DELETE FROM liveline_session_values WHERE session = ? AND key = ? RETURNING key";
                let params = vec![text(id), text(key)];
                let rows = database.with(move |connection| run(connection, sql, params)).await?;
                Ok(!rows.is_empty())
            }
        }
    }

    /// Moves what a session holds to another id, and forgets the one that it had.
    pub async fn rename(&self, old: &str, new: &str, now: Time) -> Result<(), SqlError> {
        match self {
            SessionStore::Memory(memory) => {
                let mut sessions = memory.lock();
                if let Some(session) = sessions.remove(old) {
                    let values = session.values;
                    sessions
                        .entry(new.to_owned())
                        .or_insert_with(|| Session::begun(now))
                        .values
                        .extend(values);
                }
                Ok(())
            }
            SessionStore::File(database) => {
                let (old, new) = (text(old), text(new));
                database.with(move |connection| rename(connection, &old, &new, now)).await
            }
        }
    }

    /// The keys that begin with `prefix`, and their values.
    pub async fn entries(&self, id: &str, prefix: &str) -> Result<Vec<(String, String)>, SqlError> {
        match self {
            SessionStore::Memory(memory) => {
                let sessions = memory.lock();
                let values = sessions.get(id).into_iter().flat_map(|session| &session.values);
                let inside = values.filter(|(key, _)| key.starts_with(prefix));
                Ok(inside.map(|(key, json)| (key.clone(), json.clone())).collect())
            }
            SessionStore::File(database) => {
                let sql = "SELECT key, json FROM liveline_session_values
                    WHERE session = ? AND substr(key, 1, length(?2)) = ?2 ORDER BY key";
                let params = vec![text(id), text(prefix)];
                let rows = database.with(move |connection| run(connection, sql, params)).await?;
                Ok(rows.iter().filter_map(|row| Some((string(&row[0])?, string(&row[1])?))).collect())
            }
        }
    }
}

/// Sessions in memory.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<String, Session>>>);

struct Session {
    values: BTreeMap<String, String>,
    renewed: Time,
}

impl Session {
    fn begun(now: Time) -> Session {
        Session { values: BTreeMap::new(), renewed: now }
    }
}

impl Memory {
    fn set(&self, id: &str, key: &str, json: &str, now: Time) -> Result<(), SessionError> {
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS && !sessions.contains_key(id) {
            let oldest_kept = now.saturating_sub(LIFETIME.as_secs());
            sessions.retain(|_, session| session.renewed >= oldest_kept);
            let first = sessions.iter().min_by_key(|(_, session)| session.renewed).map(|(id, _)| id.clone());
            if let Some(first) = first.filter(|_| sessions.len() >= MAX_SESSIONS) {
                sessions.remove(&first);
            }
        }
        let session = sessions.entry(id.to_owned()).or_insert_with(|| Session::begun(now));
        let others = session.values.iter().filter(|(other, _)| *other != key);
        let size: usize = others.map(|(key, json)| key.len() + json.len()).sum();
        if size + key.len() + json.len() > MAX_BYTES {
            return Err(SessionError::Full);
        }
        session.values.insert(key.to_owned(), json.to_owned());
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().expect("nothing panics while sessions are locked")
    }
}

/// Makes the file, unless it is there, for nobody else's eyes: it holds the key to every session.
fn make_private(path: &Path) -> Result<(), SqlError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let refused = |error| SqlError::new("SQLITE_CANTOPEN", format!("{}: {error}", path.display()));
    options.open(path).map(drop).map_err(refused)
}

/// Sets a value in the file. Says whether there was room for it.
fn set(connection: &mut Connection, id: Value, key: Value, json: Value, now: Time) -> Result<bool, SqlError> {
    let begun = "INSERT OR IGNORE INTO liveline_sessions VALUES (?, ?) RETURNING id";
    if !run(connection, begun, vec![id.clone(), time(now)])?.is_empty() {
        let expired = "DELETE FROM liveline_sessions WHERE renewed < ?";
        run(connection, expired, vec![time(now.saturating_sub(LIFETIME.as_secs()))])?;
        let beyond = "DELETE FROM liveline_sessions WHERE id IN (
            SELECT id FROM liveline_sessions WHERE id != ? ORDER BY renewed DESC LIMIT -1 OFFSET ?)";
        run(connection, beyond, vec![id.clone(), Value::Integer(MAX_SESSIONS as i64 - 1)])?;
    }
    let size = "SELECT octet_length(?2) + octet_length(?3) + coalesce(sum(octet_length(key) + octet_length(json)), 0)
        FROM liveline_session_values WHERE session = ?1 AND key != ?2";
    let rows = run(connection, size, vec![id.clone(), key.clone(), json.clone()])?;
    if !matches!(rows.first().map(|row| &row[0]), Some(Value::Integer(size)) if *size <= MAX_BYTES as i64) {
        return Ok(false);
    }
    let sql = "INSERT OR REPLACE INTO liveline_session_values VALUES (?, ?, ?)";
    run(connection, sql, vec![id, key, json])?;
    Ok(true)
}

/// Gives a session in the file another id, as one change.
fn rename(connection: &mut Connection, old: &Value, new: &Value, now: Time) -> Result<(), SqlError> {
    connection.begin()?;
    let renamed = [
        (
            "INSERT OR IGNORE INTO liveline_sessions SELECT ?, ? FROM liveline_sessions WHERE id = ?",
            vec![new.clone(), time(now), old.clone()],
        ),
        (
            "UPDATE OR REPLACE liveline_session_values SET session = ? WHERE session = ?",
            vec![new.clone(), old.clone()],
        ),
        ("DELETE FROM liveline_sessions WHERE id = ?", vec![old.clone()]),
    ]
    .into_iter()
    .try_for_each(|(sql, params)| run(connection, sql, params).map(drop));
    match renamed {
        Ok(()) => connection.commit(),
        Err(error) => {
            connection.rollback();
            Err(error)
        }
    }
}

fn run(connection: &mut Connection, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, SqlError> {
    Ok(connection.run(sql, &Params::Positional(params))?.result.rows)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn time(time: Time) -> Value {
    Value::Integer(time.cast_signed())
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = 2_000_000_000;
    const DAY: Time = 24 * 60 * 60;

    /// Runs a test with each store.
    async fn each(test: impl AsyncFn(SessionStore)) {
        test(SessionStore::in_memory()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.sqlite");
        test(SessionStore::in_file(&path, [7; 32]).expect("a file").0).await;
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

            assert_eq!(store.touch("b", NOW, true).await, Ok(Standing::Unknown));
            assert_eq!(store.touch("a", NOW + DAY, true).await, Ok(Standing::Known));
            assert_eq!(store.touch("a", NOW + 29 * DAY, false).await, Ok(Standing::Known));
            assert_eq!(store.touch("a", NOW + 29 * DAY, true).await, Ok(Standing::Renewed));
            assert_eq!(store.touch("a", NOW + 30 * DAY, true).await, Ok(Standing::Known));
            assert_eq!(store.touch("a", NOW + 60 * DAY, true).await, Ok(Standing::Unknown));
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
            for (id, standing) in [("a", Standing::Unknown), ("b", Standing::Known), ("c", Standing::Unknown)]
            {
                assert_eq!(store.touch(id, NOW + 2, true).await, Ok(standing), "{id}");
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

        let (_, first) = SessionStore::in_file(&path, [1; 32]).expect("a file");
        let (_, second) = SessionStore::in_file(&path, [2; 32]).expect("the same file");

        assert_eq!((&*first, &*second), (&[1; 32][..], &[1; 32][..]));
    }
}
