//! Namespaces of keys with the limits of Workers KV.

use std::path::Path;

use crate::actor::{StorageError, after_all_with};
use crate::sqlite::SqliteConnection;
use crate::{Database, Params, ResultBudget, Row, SqlError, Value};

/// Bytes of a key.
const MAX_KEY: usize = 512;

/// Bytes of a value.
const MAX_VALUE: usize = 25 << 20;

/// Bytes of metadata as JSON.
const MAX_METADATA: usize = 1024;

/// Seconds that a value lives at least.
const MIN_LIFE: i64 = 60;

/// Keys of one page.
const MAX_PAGE: u32 = 1000;

/// The value is the last column, so that a list of keys does not read it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries
      (key TEXT NOT NULL UNIQUE, expires INTEGER, metadata TEXT, value BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS entries_expires ON entries (expires) WHERE expires IS NOT NULL;";

/// A namespace. Clones share it; its file closes when the last one is dropped.
#[derive(Clone)]
pub struct KvNamespace(Database);

/// What is stored for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// The bytes.
    pub value: Vec<u8>,
    /// JSON.
    pub metadata: Option<String>,
    /// Until when, in seconds since 1970.
    pub expiration: Option<i64>,
}

/// What a value is stored with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KvPut {
    /// JSON.
    pub metadata: Option<String>,
    /// Until when it is kept, in seconds since 1970.
    pub expiration: Option<i64>,
    /// How long it is kept, in seconds. If this is given, `expiration` is ignored.
    pub ttl: Option<i64>,
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvKey {
    /// The key.
    pub name: String,
    /// Until when, in seconds since 1970.
    pub expiration: Option<i64>,
    /// JSON.
    pub metadata: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPage {
    /// The keys in the order of their bytes.
    pub keys: Vec<KvKey>,
    /// What [`KvNamespace::list`] needs for the next part; none if there are no more keys.
    pub cursor: Option<String>,
}

impl KvNamespace {
    /// Opens a file, made if there is none.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file or its folder cannot be opened or created, or no thread could start.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: &Path, results: &ResultBudget) -> Result<KvNamespace, SqlError> {
        super::make_folder_of(path)?;
        let opened = Database::open_with(Some(path), results, |connection| connection.exec(SCHEMA))?;
        Ok(KvNamespace(opened.0))
    }

    /// What is stored for a key. `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the key is empty, `.` or `..`.
    /// - [`StorageError::Limit`]: the key has more than 512 bytes.
    /// - [`StorageError::Statement`]: a code of [`Database::run`], such as `SQLITE_BUSY`, or `SQLITE_TOOBIG` for a
    ///   value that is larger than `--max-result` allows.
    pub async fn get(&self, key: &str, now: i64) -> Result<Option<KvEntry>, StorageError> {
        check_key(key)?;
        let sql = "SELECT value, metadata, expires FROM entries
                   WHERE key = ? AND (expires IS NULL OR expires > ?)";
        let params = vec![Value::Text(key.to_owned()), Value::Integer(now)];
        let rows = self.0.with(move |connection| rows_of(connection, sql, params)).await?;
        Ok(rows.into_iter().next().map(|row| {
            let [value, metadata, expires] = fields(row);
            KvEntry { value: blob(value), metadata: text(metadata), expiration: integer(&expires) }
        }))
    }

    /// Stores a value. `now` is in seconds since 1970. Also deletes the values that have expired.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the key is empty, `.` or `..`.
    /// - [`StorageError::Limit`]: the key has more than 512 bytes, the value more than 25 MiB, or the metadata more
    ///   than 1,024; or the value would expire in less than 60 seconds.
    /// - [`StorageError::Statement`]: a code of [`Database::run`], such as `SQLITE_BUSY`, or `SQLITE_TOOBIG` for a
    ///   value that is larger than `--max-result` allows.
    pub async fn put(&self, key: &str, value: Vec<u8>, put: KvPut, now: i64) -> Result<(), StorageError> {
        check_key(key)?;
        if value.len() > MAX_VALUE {
            let bytes = value.len();
            return Err(limit(format!("a value has at most {MAX_VALUE} bytes, and this one has {bytes}")));
        }
        if let Some(metadata) = &put.metadata
            && metadata.len() > MAX_METADATA
        {
            let bytes = metadata.len();
            return Err(limit(format!("metadata has at most {MAX_METADATA} bytes as JSON, not {bytes}")));
        }
        let expires = match (put.ttl, put.expiration) {
            (Some(ttl), _) if ttl < MIN_LIFE => {
                return Err(limit(format!("expirationTtl is at least {MIN_LIFE} seconds, not {ttl}")));
            }
            (Some(ttl), _) => Some(now.saturating_add(ttl)),
            (None, Some(at)) if at < now.saturating_add(MIN_LIFE) => {
                let message = format!("expiration is at least {MIN_LIFE} seconds from now, not at {at}");
                return Err(limit(message));
            }
            (None, at) => at,
        };
        let params = vec![
            Value::Text(key.to_owned()),
            expires.map_or(Value::Null, Value::Integer),
            put.metadata.map_or(Value::Null, Value::Text),
            Value::Blob(value),
        ];
        let write = move |connection: &mut SqliteConnection| {
            let expired = "DELETE FROM entries WHERE expires <= ?";
            rows_of(connection, expired, vec![Value::Integer(now)])?;
            let sql = "INSERT INTO entries VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
                       SET expires = excluded.expires, metadata = excluded.metadata, value = excluded.value";
            rows_of(connection, sql, params)
        };
        self.0.with(write).await?;
        Ok(())
    }

    /// Deletes a key.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: the key is empty, `.` or `..`.
    /// - [`StorageError::Limit`]: the key has more than 512 bytes.
    /// - [`StorageError::Statement`]: a code of [`Database::run`], such as `SQLITE_BUSY`.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        check_key(key)?;
        let params = vec![Value::Text(key.to_owned())];
        let sql = "DELETE FROM entries WHERE key = ?";
        self.0.with(move |connection| rows_of(connection, sql, params)).await?;
        Ok(())
    }

    /// The keys that begin with `prefix`, after the page that returned `cursor`; 1,000 unless `limit` is lower. `now`
    /// is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: `limit` is 0 or more than 1,000.
    /// - [`StorageError::Statement`]: a code of [`Database::run`], such as `SQLITE_BUSY`.
    pub async fn list(
        &self,
        prefix: &str,
        cursor: Option<String>,
        limit: Option<u32>,
        now: i64,
    ) -> Result<KvPage, StorageError> {
        let limit = limit.unwrap_or(MAX_PAGE);
        if limit == 0 || limit > MAX_PAGE {
            return Err(self::limit(format!("a page of a list has 1 to {MAX_PAGE} keys, not {limit}")));
        }
        let sql = "SELECT key, expires, metadata FROM entries
                   WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND (?3 IS NULL OR key > ?3)
                   AND (expires IS NULL OR expires > ?4) ORDER BY key LIMIT ?5";
        let params = vec![
            Value::Text(prefix.to_owned()),
            after_all_with(prefix).map_or(Value::Null, Value::Text),
            cursor.map_or(Value::Null, Value::Text),
            Value::Integer(now),
            Value::Integer(i64::from(limit) + 1),
        ];
        let mut rows = self.0.with(move |connection| rows_of(connection, sql, params)).await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let keys: Vec<_> = rows
            .into_iter()
            .map(|row| {
                let [key, expires, metadata] = fields(row);
                let name = text(key).unwrap_or_default();
                KvKey { name, expiration: integer(&expires), metadata: text(metadata) }
            })
            .collect();
        let cursor = keys.last().filter(|_| has_more).map(|key| key.name.clone());
        Ok(KvPage { keys, cursor })
    }
}

fn check_key(key: &str) -> Result<(), StorageError> {
    match key {
        "" => Err(StorageError::Misuse("the key is empty".to_owned())),
        "." | ".." => Err(StorageError::Misuse(format!("\"{key}\" cannot be a key"))),
        key if key.len() > MAX_KEY => {
            let bytes = key.len();
            Err(limit(format!("a key has at most {MAX_KEY} bytes, and this one has {bytes}")))
        }
        _ => Ok(()),
    }
}

fn limit(message: String) -> StorageError {
    StorageError::Limit(message)
}

/// Runs one statement and returns its rows.
pub(super) fn rows_of(
    connection: &mut SqliteConnection,
    sql: &str,
    params: Vec<Value>,
) -> Result<Vec<Row>, SqlError> {
    Ok(connection.run(sql, &Params::Positional(params))?.result.rows)
}

/// The fields of a row, of which the statement has so many.
pub(super) fn fields<const COUNT: usize>(row: Row) -> [Value; COUNT] {
    let mut fields = row.into_vec().into_iter();
    std::array::from_fn(|_| fields.next().unwrap_or(Value::Null))
}

pub(super) fn blob(value: Value) -> Vec<u8> {
    match value {
        Value::Blob(bytes) => bytes,
        Value::Text(text) => text.into_bytes(),
        _ => Vec::new(),
    }
}

pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(integer) => Some(*integer),
        _ => None,
    }
}
