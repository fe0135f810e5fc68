//! What scripts of aiwebengine keep: strings by name, and the times of their schedules.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::SqlError;

/// Bytes of the name of a value.
const MAX_KEY: usize = 1024;
/// Bytes of a value.
const MAX_VALUE: usize = 1 << 20;
/// Bytes of all values of one script, or of one visitor of a script.
const MAX_SPACE: i64 = 64 << 20;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS items
      (space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS schedules
      (key TEXT NOT NULL PRIMARY KEY, given INTEGER NOT NULL, interval INTEGER NOT NULL, next INTEGER NOT NULL)
      WITHOUT ROWID;";

/// The file of all scripts. Its methods block for as long as SQLite works, which is microseconds for short values. Clones
/// share it.
#[derive(Clone)]
pub struct ScriptStore(Arc<Mutex<Connection>>);

/// Why a value is not stored.
#[derive(Debug, thiserror::Error)]
pub enum ScriptStoreError {
    /// The value, its name or all of them are too large.
    #[error("{0}")]
    Limit(String),
    /// SQLite failed.
    #[error("{0}")]
    Sql(SqlError),
}

impl From<rusqlite::Error> for ScriptStoreError {
    fn from(error: rusqlite::Error) -> Self {
        ScriptStoreError::Sql(error.into())
    }
}

type Done<T> = Result<T, ScriptStoreError>;

impl ScriptStore {
    /// Opens a file, made if there is none.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file or its folder cannot be opened or created.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: &Path) -> Result<ScriptStore, SqlError> {
        super::make_folder_of(path)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(SCHEMA)?;
        Ok(ScriptStore(Arc::new(Mutex::new(connection))))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A value of a space.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn get(&self, space: &str, key: &str) -> Done<Option<String>> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT value FROM items WHERE space = ? AND key = ?")?;
        Ok(statement.query_row(params![space, key], |row| row.get(0)).optional()?)
    }

    /// Stores a value.
    ///
    /// # Errors
    ///
    /// - [`ScriptStoreError::Limit`]: the name has more than 1,024 bytes, the value more than 1 MiB, or all names and
    ///   values of the space more than 64 MiB together. The last is checked for values of more than 4,096 bytes only.
    /// - [`ScriptStoreError::Sql`]: SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    ///   the file for 5 seconds.
    pub fn set(&self, space: &str, key: &str, value: &str) -> Done<()> {
        if key.len() > MAX_KEY {
            let bytes = key.len();
            return Err(ScriptStoreError::Limit(format!(
                "a name has at most {MAX_KEY} bytes, and this one has {bytes}"
            )));
        }
        if value.len() > MAX_VALUE {
            let bytes = value.len();
            return Err(ScriptStoreError::Limit(format!(
                "a value has at most {MAX_VALUE} bytes, and that of {key:?} has {bytes}"
            )));
        }
        let connection = self.connection();
        let others = "SELECT coalesce(sum(octet_length(key) + octet_length(value)), 0)
            FROM items WHERE space = ? AND key <> ?";
        // Only large values are worth adding all of them up.
        if value.len() > 4096 {
            let held: i64 =
                connection.prepare_cached(others)?.query_row(params![space, key], |row| row.get(0))?;
            if held.saturating_add(i64::try_from(value.len()).unwrap_or(i64::MAX)) > MAX_SPACE {
                return Err(ScriptStoreError::Limit(format!(
                    "the values have at most {MAX_SPACE} bytes together"
                )));
            }
        }
        let sql = "INSERT INTO items VALUES (?, ?, ?) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
        connection.prepare_cached(sql)?.execute(params![space, key, value])?;
        Ok(())
    }

    /// Removes a value. False: there was none.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn remove(&self, space: &str, key: &str) -> Done<bool> {
        let sql = "DELETE FROM items WHERE space = ? AND key = ?";
        Ok(self.connection().prepare_cached(sql)?.execute(params![space, key])? > 0)
    }

    /// Removes all values of a space.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn clear(&self, space: &str) -> Done<()> {
        self.connection().execute("DELETE FROM items WHERE space = ?", params![space])?;
        Ok(())
    }

    /// Registers a schedule and returns its next time, 0 if it has run for the last time. A schedule that is known with
    /// the same interval keeps its next time; without an interval, if it is known with the same time.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn schedule(&self, key: &str, at: i64, interval: i64) -> Done<i64> {
        let connection = self.connection();
        let known = connection
            .prepare_cached("SELECT given, interval, next FROM schedules WHERE key = ?")?
            .query_row(params![key], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        if let Some((given, before, next)) = known
            && before == interval
            && (interval > 0 || given == at)
        {
            return Ok(next);
        }
        let sql = "INSERT INTO schedules VALUES (?1, ?2, ?3, ?2)
                   ON CONFLICT (key) DO UPDATE SET given = ?2, interval = ?3, next = ?2";
        connection.prepare_cached(sql)?.execute(params![key, at, interval])?;
        Ok(at)
    }

    /// Moves a schedule from one time to the next. False: another caller has done that.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn claim(&self, key: &str, time: i64, next: i64) -> Done<bool> {
        let sql = "UPDATE schedules SET next = ?3 WHERE key = ?1 AND next = ?2";
        Ok(self.connection().prepare_cached(sql)?.execute(params![key, time, next])? > 0)
    }

    /// Removes all schedules but these.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds. Some of the schedules may be removed then.
    pub fn keep_schedules(&self, keys: &[String]) -> Done<()> {
        let connection = self.connection();
        let known: Vec<String> = connection
            .prepare("SELECT key FROM schedules")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for key in known.iter().filter(|key| !keys.contains(key)) {
            connection.execute("DELETE FROM schedules WHERE key = ?", params![key])?;
        }
        Ok(())
    }

    /// Removes the schedules whose keys begin with a prefix.
    ///
    /// # Errors
    ///
    /// [`ScriptStoreError::Sql`] if SQLite fails, for example with `SQLITE_BUSY` after another connection has locked
    /// the file for 5 seconds.
    pub fn clear_schedules(&self, prefix: &str) -> Done<()> {
        let sql = "DELETE FROM schedules WHERE substr(key, 1, length(?1)) = ?1";
        self.connection().execute(sql, params![prefix])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, ScriptStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = ScriptStore::open(&dir.path().join("data/scripts.sqlite")).unwrap();
        (dir, store)
    }

    #[test]
    fn values_belong_to_their_space() {
        let (dir, store) = store();
        store.set("a", "k", "1").unwrap();
        store.set("a", "k", "2").unwrap();
        store.set("b", "k", "3").unwrap();
        drop(store);
        let store = ScriptStore::open(&dir.path().join("data/scripts.sqlite")).unwrap();
        assert_eq!(store.get("a", "k").unwrap().as_deref(), Some("2"));
        assert!(store.remove("a", "k").unwrap() && !store.remove("a", "k").unwrap());
        store.clear("b").unwrap();
        assert_eq!((store.get("a", "k").unwrap(), store.get("b", "k").unwrap()), (None, None));
    }

    #[test]
    fn large_values_are_refused() {
        let (_dir, store) = store();
        let error = store.set("a", "k", &"x".repeat(MAX_VALUE + 1)).unwrap_err();
        assert!(error.to_string().contains("at most 1048576 bytes"), "{error}");
        for key in 0..64 {
            let stored = store.set("a", &key.to_string(), &"x".repeat(MAX_VALUE));
            assert_eq!(stored.is_ok(), key < 63, "{key}");
        }
        store.set("b", "k", &"x".repeat(MAX_VALUE)).unwrap();
    }

    #[test]
    fn one_caller_claims_a_time() {
        let (_dir, store) = store();
        assert_eq!(store.schedule("s a", 1000, 100).unwrap(), 1000);
        assert!(store.claim("s a", 1000, 1100).unwrap() && !store.claim("s a", 1000, 1100).unwrap());
        assert_eq!(store.schedule("s a", 5000, 100).unwrap(), 1100);
        assert_eq!(store.schedule("s a", 5000, 200).unwrap(), 5000);
        assert_eq!(store.schedule("s once", 10, 0).unwrap(), 10);
        assert!(store.claim("s once", 10, 0).unwrap());
        assert_eq!(store.schedule("s once", 10, 0).unwrap(), 0);
        assert_eq!(store.schedule("s once", 20, 0).unwrap(), 20);
        store.keep_schedules(&["s once".to_owned()]).unwrap();
        assert!(!store.claim("s a", 5000, 5200).unwrap());
        store.clear_schedules("s ").unwrap();
        assert!(!store.claim("s once", 20, 0).unwrap());
    }
}
