//! Sessions in a database file, which outlive the process.

use std::path::Path;

use super::{
    MAX_BYTES, MAX_SESSIONS, SessionError, SessionState, SessionStore, StoreFuture, UnixTime, oldest,
    renewal_due,
};
use crate::sqlite::SqliteConnection;
use crate::{Database, Params, ResultBudget, Row, SqlError, Value};

/// The tables. Their names begin with `liveline_`, because the file may hold the application's own tables, too.
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

/// Sessions in a database file.
pub struct SqliteSessions(Database);

impl SqliteSessions {
    /// Opens or creates the file. Also returns the key that cookies are signed with: the one in the file, or
    /// `new_key` where the file is new.
    pub fn open(path: &Path, new_key: [u8; 32]) -> Result<(SqliteSessions, Vec<u8>), SqlError> {
        make_private(path)?;
        let (database, key) = Database::open_with(Some(path), &ResultBudget::default(), move |connection| {
            connection.exec(SCHEMA)?;
            let new_key = vec![Value::Blob(new_key.to_vec())];
            run(connection, "INSERT OR IGNORE INTO liveline_keys VALUES ('session', ?)", new_key)?;
            let rows = run(connection, "SELECT value FROM liveline_keys WHERE name = 'session'", vec![])?;
            match rows.first().map(|row| &row[0]) {
                Some(Value::Blob(key)) => Ok(key.clone()),
                _ => Err(SqlError::new("SQLITE_CORRUPT", "the key of the sessions is no blob")),
            }
        })?;
        Ok((SqliteSessions(database), key))
    }

    /// Runs one statement.
    async fn run(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.0.with(move |connection| run(connection, sql, params)).await
    }
}

impl SessionStore for SqliteSessions {
    fn touch<'a>(&'a self, id: &'a str, now: UnixTime, may_renew: bool) -> StoreFuture<'a, SessionState> {
        let id = text(id);
        let touch = move |connection: &mut SqliteConnection| {
            let select = "SELECT renewed FROM liveline_sessions WHERE id = ?";
            let before = run(connection, select, vec![id.clone()])?;
            let due = renewal_due(now);
            if may_renew && due > 0 {
                let sql = "UPDATE liveline_sessions SET renewed = ? WHERE id = ? AND renewed BETWEEN ? AND ?";
                run(connection, sql, vec![time(now), id, time(oldest(now)), time(due - 1)])?;
            }
            Ok(before)
        };
        Box::pin(async move {
            let rows = self.0.with(touch).await?;
            Ok(match rows.first().map(|row| &row[0]) {
                Some(Value::Integer(renewed)) => SessionState::of(renewed.cast_unsigned(), now, may_renew),
                _ => SessionState::Unknown,
            })
        })
    }

    fn get<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, Option<String>> {
        let sql = "SELECT json FROM liveline_session_values WHERE session = ? AND key = ?";
        let params = vec![text(id), text(key)];
        Box::pin(async move {
            let rows = self.run(sql, params).await?;
            Ok(rows.first().and_then(|row| string(&row[0])))
        })
    }

    fn set<'a>(&'a self, id: &'a str, key: &'a str, json: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        let (id, key, json) = (text(id), text(key), text(json));
        Box::pin(async move {
            let is_set = self.0.with(move |connection| set(connection, id, key, json, now)).await?;
            if is_set { Ok(()) } else { Err(SessionError::Full) }
        })
    }

    fn delete<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, bool> {
        let sql = "DELETE FROM liveline_session_values WHERE session = ? AND key = ? RETURNING key";
        let params = vec![text(id), text(key)];
        Box::pin(async move { Ok(!self.run(sql, params).await?.is_empty()) })
    }

    fn rename<'a>(&'a self, old: &'a str, new: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        let (old, new) = (text(old), text(new));
        let rename = move |connection: &mut SqliteConnection| rename(connection, &old, &new, now);
        Box::pin(async move { Ok(self.0.with(rename).await?) })
    }

    fn entries<'a>(&'a self, id: &'a str, prefix: &'a str) -> StoreFuture<'a, Vec<(String, String)>> {
        let sql = "SELECT key, json FROM liveline_session_values
            WHERE session = ? AND substr(key, 1, length(?2)) = ?2 ORDER BY key";
        let params = vec![text(id), text(prefix)];
        Box::pin(async move {
            let rows = self.run(sql, params).await?;
            Ok(rows.iter().filter_map(|row| Some((string(&row[0])?, string(&row[1])?))).collect())
        })
    }
}

/// Creates the file if there is none, readable by its owner only: it holds what visitors sent, or the key of every
/// session's cookie.
pub(crate) fn make_private(path: &Path) -> Result<(), SqlError> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let refused = |error| SqlError::new("SQLITE_CANTOPEN", format!("{}: {error}", path.display()));
    options.open(path).map(drop).map_err(refused)
}

/// Sets a value in the file. Returns whether there was room for it.
fn set(
    connection: &mut SqliteConnection,
    id: Value,
    key: Value,
    json: Value,
    now: UnixTime,
) -> Result<bool, SqlError> {
    let begun = "INSERT OR IGNORE INTO liveline_sessions VALUES (?, ?) RETURNING id";
    if !run(connection, begun, vec![id.clone(), time(now)])?.is_empty() {
        let expired = "DELETE FROM liveline_sessions WHERE renewed < ?";
        run(connection, expired, vec![time(oldest(now))])?;
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

/// Moves the values of a session to another id, as one change.
fn rename(
    connection: &mut SqliteConnection,
    old: &Value,
    new: &Value,
    now: UnixTime,
) -> Result<(), SqlError> {
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

fn run(connection: &mut SqliteConnection, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, SqlError> {
    Ok(connection.run(sql, &Params::Positional(params))?.result.rows)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn time(time: UnixTime) -> Value {
    Value::Integer(time.cast_signed())
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
