//! Keys and values of actors.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, ToSql, params};

use super::{ActorStorage, StorageError};
use crate::SqlError;
use crate::guarded::GuardedConnection;

/// Bytes of a key and its value together.
pub const MAX_PAIR_BYTES: usize = 2 << 20;

/// How many keys one call may name.
pub const MAX_KEYS: usize = 128;

/// Which keys a list contains, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub start: Option<String>,
    /// All keys are after this one.
    pub start_after: Option<String>,
    /// All keys are before this one.
    pub end: Option<String>,
    /// All keys begin with this.
    pub prefix: Option<String>,
    /// Whether the list runs from the last key to the first.
    pub reverse: bool,
    /// The most keys of the list.
    pub limit: Option<u32>,
}

impl ActorStorage {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: the key has more bytes than [`MAX_PAIR_BYTES`].
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        check_key(key)?;
        Ok(self.reading(|connection| get(connection, key))?.flatten())
    }

    /// The values of those keys that there are, in the order of the keys.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: there are more keys than [`MAX_KEYS`], or one has more bytes than [`MAX_PAIR_BYTES`].
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn get_many(&mut self, keys: &[String]) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        check_count(keys.len())?;
        keys.iter().try_for_each(|key| check_key(key))?;
        let found = self.reading(|connection| {
            let mut found = BTreeMap::new();
            for key in keys {
                if let Some(value) = get(connection, key)? {
                    found.insert(key.clone(), value);
                }
            }
            Ok(found.into_iter().collect())
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Stores the value of a key.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: the key and the value have more bytes together than [`MAX_PAIR_BYTES`], or the file
    ///   would have more than [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StorageError> {
        check_pair(key, value)?;
        self.writing(|connection| {
            connection.begin()?;
            put(connection, key, value)
        })
    }

    /// Stores several values.
    ///
    /// # Errors
    ///
    /// If a limit of keys and values is exceeded, none is stored. After other errors some may be.
    ///
    /// - [`StorageError::Limit`]: there are more pairs than [`MAX_KEYS`], a key and its value have more bytes together
    ///   than [`MAX_PAIR_BYTES`], or the file would have more than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn put_many(&mut self, pairs: &[(String, Vec<u8>)]) -> Result<(), StorageError> {
        check_count(pairs.len())?;
        pairs.iter().try_for_each(|(key, value)| check_pair(key, value))?;
        self.writing(|connection| {
            connection.begin()?;
            pairs.iter().try_for_each(|(key, value)| put(connection, key, value))
        })
    }

    /// Deletes a key. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: the key has more bytes than [`MAX_PAIR_BYTES`].
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn delete(&mut self, key: &str) -> Result<bool, StorageError> {
        check_key(key)?;
        Ok(self.delete_keys(std::slice::from_ref(&key))? > 0)
    }

    /// Deletes several keys. Returns how many there were.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: there are more keys than [`MAX_KEYS`], or one has more bytes than [`MAX_PAIR_BYTES`].
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn delete_many(&mut self, keys: &[String]) -> Result<usize, StorageError> {
        check_count(keys.len())?;
        keys.iter().try_for_each(|key| check_key(key))?;
        self.delete_keys(keys)
    }

    fn delete_keys(&mut self, keys: &[impl AsRef<str>]) -> Result<usize, StorageError> {
        if !self.has_file() {
            return Ok(0);
        }
        self.writing(|connection| {
            connection.begin()?;
            let mut deleted = 0;
            for key in keys {
                let mut statement = connection.host("/*host*/DELETE FROM _cf_KV WHERE key = ?")?;
                deleted += statement.execute([key.as_ref()])?;
            }
            Ok(deleted)
        })
    }

    /// The keys of a range and their values.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Statement`]: the keys and values take more bytes than
    ///   [`ResultBudget::most`](crate::ResultBudget::most) (`SQLITE_TOOBIG`); all results of the process together would
    ///   take more than [`ResultBudget::budget`](crate::ResultBudget::budget) (`SQLITE_NOMEM`); or SQLite reports
    ///   another code.
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    pub fn list(&mut self, range: &KeyRange) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let results = self.results().clone();
        let found = self.reading(|connection| {
            let mut held = results.begin();
            // NULL stands for a border that is not there. Texts are compared as bytes of UTF-8.
            let sql = match range.reverse {
                false => {
                    "/*host*/SELECT key, value FROM _cf_KV WHERE key >= ?1 AND (?2 IS NULL OR key > ?2)
                     AND (?3 IS NULL OR key < ?3) ORDER BY key LIMIT ?4"
                }
                true => {
                    "/*host*/SELECT key, value FROM _cf_KV WHERE key >= ?1 AND (?2 IS NULL OR key > ?2)
                     AND (?3 IS NULL OR key < ?3) ORDER BY key DESC LIMIT ?4"
                }
            };
            let prefix = range.prefix.as_deref().unwrap_or("");
            let start = range.start.as_deref().unwrap_or("").max(prefix);
            let after_prefix = after_all_with(prefix);
            let end = match (range.end.as_deref(), after_prefix.as_deref()) {
                (Some(end), Some(after)) => Some(end.min(after)),
                (end, after) => end.or(after),
            };
            let limit = range.limit.map_or(-1, i64::from);
            let mut statement = connection.host(sql)?;
            let mut rows = statement.query(params![start, range.start_after, end, limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (key, value): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
                held.grow(2, key.len() + value.len())?;
                found.push((key, value));
            }
            Ok(found)
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Deletes all keys, tables and views; with `and_alarm` also the alarm.
    ///
    /// # Errors
    ///
    /// The keys, tables and views are as they were after an error, but the alarm may be deleted.
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn delete_all(&mut self, and_alarm: bool) -> Result<(), StorageError> {
        if !self.has_file() {
            return Ok(());
        }
        if and_alarm && !self.address().is_facet() {
            self.delete_alarm()?;
        }
        self.writing(|connection| {
            connection.begin()?;
            connection.host_batch("SAVEPOINT _cf_delete_all; PRAGMA defer_foreign_keys = ON;")?;
            let done = drop_everything(connection);
            match &done {
                Ok(()) => connection.host_batch("RELEASE _cf_delete_all")?,
                Err(_) => connection.host_batch("ROLLBACK TO _cf_delete_all; RELEASE _cf_delete_all")?,
            }
            done
        })
    }
}

/// Drops what the application has created. Tables that belong to others vanish with them, so that the schema is read
/// again after each one.
fn drop_everything(connection: &GuardedConnection) -> Result<(), SqlError> {
    connection.host("/*host*/DELETE FROM _cf_KV")?.execute([])?;
    loop {
        let sql = "/*host*/SELECT type, name FROM sqlite_master
                   WHERE type IN ('view', 'trigger', 'table') AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'
                   AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                   ORDER BY type = 'table', sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 1";
        let next: Option<(String, String)> =
            connection.host(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((kind, name)) = next else { break };
        connection.host_batch(&format!("DROP {kind} \"{}\"", name.replace('"', "\"\"")))?;
    }
    let counted = "/*host*/SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'";
    let sequences: i64 = connection.host(counted)?.query_row([], |row| row.get(0))?;
    if sequences > 0 {
        connection.host_batch("DELETE FROM sqlite_sequence")?;
    }
    Ok(())
}

fn get(connection: &GuardedConnection, key: &str) -> Result<Option<Vec<u8>>, SqlError> {
    let mut statement = connection.host("/*host*/SELECT value FROM _cf_KV WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

fn put(connection: &GuardedConnection, key: &str, value: &[u8]) -> Result<(), SqlError> {
    let sql =
        "/*host*/INSERT INTO _cf_KV VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let values: [&dyn ToSql; 2] = [&key, &value];
    connection.host(sql)?.execute(values)?;
    Ok(())
}

/// The first text after all that begin with this one. None where there is no such text.
pub(crate) fn after_all_with(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are not characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

fn check_count(count: usize) -> Result<(), StorageError> {
    if count > MAX_KEYS {
        return Err(StorageError::Limit(format!("{count} keys in one call; at most {MAX_KEYS} are allowed")));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), StorageError> {
    check_pair(key, &[])
}

fn check_pair(key: &str, value: &[u8]) -> Result<(), StorageError> {
    let bytes = key.len() + value.len();
    if bytes > MAX_PAIR_BYTES {
        let shown = &key[..key.floor_char_boundary(40)];
        return Err(StorageError::Limit(format!(
            "the key `{shown}` and its value have {bytes} bytes; at most {MAX_PAIR_BYTES} are allowed"
        )));
    }
    Ok(())
}
