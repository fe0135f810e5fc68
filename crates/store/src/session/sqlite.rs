//! Sessions in a database file, which outlive the process.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::budget::{Budget, SESSION_COST};
use super::{
    MAX_BYTES, SessionError, SessionState, SessionStore, StoreFuture, UnixTime, oldest, renewal_due,
};
use crate::sqlite::SqliteConnection;
use crate::{Database, Params, ResultBudget, Row, SqlError, Value};

/// The tables. Their names begin with `liveline_`, because the file may hold the application's own tables, too.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS liveline_keys (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS liveline_sessions (
      id TEXT PRIMARY KEY,
      renewed INTEGER NOT NULL,
      network INTEGER NOT NULL DEFAULT 0,
      bytes INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS liveline_sessions_renewed ON liveline_sessions (renewed);
    CREATE TABLE IF NOT EXISTS liveline_session_values (
      session TEXT NOT NULL REFERENCES liveline_sessions ON DELETE CASCADE,
      key TEXT NOT NULL,
      json TEXT NOT NULL,
      PRIMARY KEY (session, key)
    ) WITHOUT ROWID;";

/// What files of earlier versions lack, whose sessions had no network and no size. Each is in a network of its own.
const NEW_COLUMNS: &str = "
    ALTER TABLE liveline_sessions ADD COLUMN network INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE liveline_sessions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE liveline_sessions SET network = rowid, bytes = (
      SELECT coalesce(sum(octet_length(key) + octet_length(json)), 0)
      FROM liveline_session_values WHERE session = id);";

/// Sessions in a database file.
pub struct SqliteSessions {
    database: Database,
    /// Used by the database's thread alone.
    budget: Arc<Mutex<Budget>>,
}

impl SqliteSessions {
    /// Opens or creates the file, whose sessions may hold `limit` bytes together. Also returns the key that cookies are
    /// signed with: the one in the file, or `new_key` where the file is new.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file cannot be opened or created, or no thread could start.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one, or its key is no blob.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - `SQLITE_INTERRUPT`: a statement ran for 5 seconds, for example because there are very many sessions to count.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: &Path, new_key: [u8; 32], limit: usize) -> Result<(SqliteSessions, Vec<u8>), SqlError> {
        make_private(path)?;
        let first = move |connection: &mut SqliteConnection| {
            let budget = prepared(connection, limit)?;
            let new_key = vec![Value::Blob(new_key.to_vec())];
            run(connection, "INSERT OR IGNORE INTO liveline_keys VALUES ('session', ?)", new_key)?;
            let rows = run(connection, "SELECT value FROM liveline_keys WHERE name = 'session'", vec![])?;
            match rows.first().map(|row| &row[0]) {
                Some(Value::Blob(key)) => Ok((budget, key.clone())),
                _ => Err(SqlError::new("SQLITE_CORRUPT", "the key of the sessions is no blob")),
            }
        };
        let (database, (budget, key)) = Database::open_with(Some(path), &ResultBudget::default(), first)?;
        Ok((SqliteSessions { database, budget: Arc::new(Mutex::new(budget)) }, key))
    }

    /// Runs one statement that changes no size.
    async fn run(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        self.database.with(move |connection| run(connection, sql, params)).await
    }

    /// Changes sessions as one transaction, and counts what they hold then.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Sessions<'_>) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let budget = self.budget.clone();
        let work = move |connection: &mut SqliteConnection| {
            let mut budget = budget.lock().expect("nothing panics while sessions are counted");
            connection.begin()?;
            let mut sessions = Sessions { connection, sizes: Vec::new() };
            let changed = change(&mut sessions);
            let Sessions { connection, sizes } = sessions;
            match changed {
                Ok(result) => {
                    connection.commit()?;
                    sizes
                        .into_iter()
                        .for_each(|(network, before, after)| budget.change(network, before, after));
                    Ok(result)
                }
                Err(error) => {
                    connection.rollback();
                    Err(error)
                }
            }
        };
        self.database.with(work).await
    }

    /// Removes sessions until all together fit, but not `id`.
    async fn make_room(&self, id: Value, now: UnixTime) -> Result<(), SqlError> {
        let budget = self.budget.clone();
        let work = move |connection: &mut SqliteConnection| {
            let mut budget = budget.lock().expect("nothing panics while sessions are counted");
            while budget.is_over() && remove_first(connection, &mut budget, &id)? {
                budget.count_removal(now);
            }
            Ok(())
        };
        self.database.with(work).await
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
            let rows = self.database.with(touch).await?;
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

    fn set<'a>(
        &'a self,
        id: &'a str,
        key: &'a str,
        json: &'a str,
        network: u64,
        now: UnixTime,
    ) -> StoreFuture<'a, ()> {
        let (id, key, json) = (text(id), text(key), text(json));
        Box::pin(async move {
            let session = id.clone();
            let is_set = self.change(move |sessions| sessions.set(id, key, json, network, now)).await?;
            self.make_room(session, now).await?;
            if is_set { Ok(()) } else { Err(SessionError::Full) }
        })
    }

    fn delete<'a>(&'a self, id: &'a str, key: &'a str) -> StoreFuture<'a, bool> {
        let (id, key) = (text(id), text(key));
        Box::pin(async move { Ok(self.change(move |sessions| sessions.delete(id, key)).await?) })
    }

    fn rename<'a>(&'a self, old: &'a str, new: &'a str, now: UnixTime) -> StoreFuture<'a, ()> {
        let (old, new) = (text(old), text(new));
        Box::pin(async move { Ok(self.change(move |sessions| sessions.rename(&old, &new, now)).await?) })
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

/// Removes the oldest session but `id` of the network that holds most. Returns whether there was one.
fn remove_first(
    connection: &mut SqliteConnection,
    budget: &mut Budget,
    id: &Value,
) -> Result<bool, SqlError> {
    let own = run(connection, "SELECT network FROM liveline_sessions WHERE id = ?", vec![id.clone()])?;
    let own = own.first().map(|row| network_of(&row[0]));
    loop {
        // The network of `id` may have no other session; each of the others has one.
        let networks: Vec<u64> = budget.networks().take(2).collect();
        let mut is_changed = false;
        for network in networks {
            let first = "DELETE FROM liveline_sessions WHERE id = (
                SELECT id FROM liveline_sessions WHERE network = ? AND id != ? ORDER BY renewed LIMIT 1)
                RETURNING bytes";
            let rows = run(connection, first, vec![Value::Integer(network.cast_signed()), id.clone()])?;
            if let Some(row) = rows.first() {
                budget.change(network, SESSION_COST + size(&row[0]), 0);
                return Ok(true);
            }
            if own != Some(network) {
                // Another process has removed what it had.
                budget.forget(network);
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(false);
        }
    }
}

/// Makes the tables, and counts what the sessions in them hold.
fn prepared(connection: &mut SqliteConnection, limit: usize) -> Result<Budget, SqlError> {
    connection.exec(SCHEMA)?;
    connection.begin()?;
    let has_sizes = "SELECT 1 FROM pragma_table_info('liveline_sessions') WHERE name = 'bytes'";
    if run(connection, has_sizes, vec![])?.is_empty() {
        connection.exec(NEW_COLUMNS)?;
    }
    connection.commit()?;
    connection.exec(
        "CREATE INDEX IF NOT EXISTS liveline_sessions_network ON liveline_sessions (network, renewed)",
    )?;
    let mut budget = Budget::new(limit);
    let held = "SELECT network, sum(bytes), count(*) FROM liveline_sessions GROUP BY network";
    for row in run(connection, held, vec![])? {
        budget.change(network_of(&row[0]), 0, size(&row[1]) + SESSION_COST * size(&row[2]));
    }
    Ok(budget)
}

/// The sessions of a file inside a transaction.
struct Sessions<'a> {
    connection: &'a mut SqliteConnection,
    /// What was changed: the network of a session, and how many bytes it held before and holds now.
    sizes: Vec<(u64, usize, usize)>,
}

impl Sessions<'_> {
    /// Sets a value. Returns whether there was room for it.
    fn set(
        &mut self,
        id: Value,
        key: Value,
        json: Value,
        network: u64,
        now: UnixTime,
    ) -> Result<bool, SqlError> {
        let begin =
            "INSERT OR IGNORE INTO liveline_sessions (id, renewed, network) VALUES (?, ?, ?) RETURNING id";
        let begun = vec![id.clone(), time(now), Value::Integer(network.cast_signed())];
        if !self.run(begin, begun)?.is_empty() {
            self.sizes.push((network, 0, SESSION_COST));
            self.remove(
                "DELETE FROM liveline_sessions WHERE renewed < ? RETURNING network, bytes",
                time(oldest(now)),
            )?;
        }
        let size = "SELECT octet_length(?2) + octet_length(?3) + coalesce(sum(octet_length(key) + octet_length(json)), 0)
            FROM liveline_session_values WHERE session = ?1 AND key != ?2";
        let rows = self.run(size, vec![id.clone(), key.clone(), json.clone()])?;
        if !matches!(rows.first().map(|row| &row[0]), Some(Value::Integer(size)) if *size <= MAX_BYTES as i64)
        {
            return Ok(false);
        }
        let sql = "INSERT OR REPLACE INTO liveline_session_values VALUES (?, ?, ?)";
        self.run(sql, vec![id.clone(), key, json])?;
        self.count(id)?;
        Ok(true)
    }

    fn delete(&mut self, id: Value, key: Value) -> Result<bool, SqlError> {
        let sql = "DELETE FROM liveline_session_values WHERE session = ? AND key = ? RETURNING key";
        let was_there = !self.run(sql, vec![id.clone(), key])?.is_empty();
        if was_there {
            self.count(id)?;
        }
        Ok(was_there)
    }

    /// Moves the values of a session to another id.
    fn rename(&mut self, old: &Value, new: &Value, now: UnixTime) -> Result<(), SqlError> {
        let begin = "INSERT OR IGNORE INTO liveline_sessions (id, renewed, network)
            SELECT ?, ?, network FROM liveline_sessions WHERE id = ? RETURNING network";
        for row in self.run(begin, vec![new.clone(), time(now), old.clone()])? {
            self.sizes.push((network_of(&row[0]), 0, SESSION_COST));
        }
        let sql = "UPDATE OR REPLACE liveline_session_values SET session = ? WHERE session = ?";
        self.run(sql, vec![new.clone(), old.clone()])?;
        self.remove("DELETE FROM liveline_sessions WHERE id = ? RETURNING network, bytes", old.clone())?;
        self.count(new.clone())
    }

    /// Removes sessions by a statement that returns their networks and sizes.
    fn remove(&mut self, sql: &str, param: Value) -> Result<(), SqlError> {
        for row in self.run(sql, vec![param])? {
            self.sizes.push((network_of(&row[0]), SESSION_COST + size(&row[1]), 0));
        }
        Ok(())
    }

    /// Counts what a session holds after its values have changed.
    fn count(&mut self, id: Value) -> Result<(), SqlError> {
        let select = "SELECT network, bytes, (
            SELECT coalesce(sum(octet_length(key) + octet_length(json)), 0)
            FROM liveline_session_values WHERE session = id) FROM liveline_sessions WHERE id = ?";
        for row in self.run(select, vec![id.clone()])? {
            self.sizes.push((network_of(&row[0]), size(&row[1]), size(&row[2])));
            let update = "UPDATE liveline_sessions SET bytes = ? WHERE id = ?";
            self.run(update, vec![row[2].clone(), id.clone()])?;
        }
        Ok(())
    }

    fn run(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>, SqlError> {
        run(self.connection, sql, params)
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

/// A count of bytes or sessions.
fn size(value: &Value) -> usize {
    match value {
        Value::Integer(size) => usize::try_from(*size).unwrap_or_default(),
        _ => 0,
    }
}

fn network_of(value: &Value) -> u64 {
    match value {
        Value::Integer(network) => network.cast_unsigned(),
        _ => 0,
    }
}

fn string(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
