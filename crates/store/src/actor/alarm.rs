//! Alarms: one in each actor's file, and the index of all of them.
//!
//! The index is a SQLite file of its own beside the actors' files, because reading every actor's file at the start
//! would take seconds for thousands of actors. The actors' files hold the truth: an alarm is written to the index before
//! the commit that sets it and removed after the commit that deletes it, so that the index may have an alarm too many,
//! never one too few. [`ActorStorage::begin_alarm`] finds out. A lost or damaged index is made again from the files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::durability::SyncedFile;
use super::{ActorStorage, Address, StorageError};
use crate::SqlError;
use crate::sqlite::BUSY_LIMIT;

/// The tables of the index.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS alarms (class TEXT, id TEXT, due INTEGER NOT NULL, PRIMARY KEY (class, id)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS alarms_due ON alarms (due);";

/// When the alarms of all actors are due.
pub struct AlarmIndex {
    path: PathBuf,
    sqlite: Mutex<Connection>,
    file: Arc<SyncedFile>,
}

/// An alarm in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedAlarm {
    /// Whose alarm it is.
    pub address: Address,
    /// Milliseconds since 1970.
    pub due: i64,
}

/// What the actor's file has of an alarm that is due in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueAlarm {
    /// It is due, for this time in milliseconds since 1970. It stays in the file until [`ActorStorage::end_alarm`].
    Due(i64),
    /// It was set to another time.
    Later(i64),
    /// There is none.
    Absent,
}

impl AlarmIndex {
    /// Opens the index of a folder. Makes it again where it is lost or damaged.
    pub(super) fn open(folder: &Path) -> Result<AlarmIndex, StorageError> {
        let path = folder.join("alarms.sqlite");
        let is_new = !path.exists();
        let opened = match open_index(&path) {
            Err(error) if matches!(error.code, "SQLITE_CORRUPT" | "SQLITE_NOTADB") => {
                tracing::warn!("{} is damaged ({error}) and is made again", path.display());
                for path in [path.clone(), super::durability::wal_of(&path)] {
                    if let Err(error) = std::fs::remove_file(&path)
                        && error.kind() != std::io::ErrorKind::NotFound
                    {
                        return Err(StorageError::io(&error, &path));
                    }
                }
                open_index(&path).map(|sqlite| (sqlite, true))
            }
            opened => opened.map(|sqlite| (sqlite, is_new)),
        };
        let (sqlite, is_new) = opened.map_err(|error| StorageError::of(error, &path))?;
        let file = Arc::new(SyncedFile::new(path.clone(), is_new));
        let index = AlarmIndex { path, sqlite: Mutex::new(sqlite), file };
        if is_new {
            index.fill(folder)?;
        }
        Ok(index)
    }

    /// Every alarm, in the order of their times.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the file of the index cannot be read, or is damaged.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY` after another connection has
    ///   locked the file for 5 seconds.
    /// - [`StorageError::Misuse`], [`StorageError::Limit`]: a class or an id in the index is no name for
    ///   [`Address::new`].
    pub fn all(&self) -> Result<Vec<IndexedAlarm>, StorageError> {
        self.with(|sqlite| {
            let mut statement = sqlite.prepare_cached("SELECT class, id, due FROM alarms ORDER BY due")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        })?
        .into_iter()
        .map(|(class, id, due)| Ok(IndexedAlarm { address: Address::new(&class, &id)?, due }))
        .collect()
    }

    /// Stores when an actor's alarm is due.
    pub(super) fn set(&self, address: &Address, due: i64) -> Result<Arc<SyncedFile>, StorageError> {
        self.with(|sqlite| {
            let sql = "INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET due = excluded.due";
            sqlite.prepare_cached(sql)?.execute((address.class(), address.id(), due))
        })?;
        Ok(self.file.clone())
    }

    /// Removes an actor's alarm.
    pub(super) fn remove(&self, address: &Address) -> Result<(), StorageError> {
        self.with(|sqlite| {
            let sql = "DELETE FROM alarms WHERE class = ? AND id = ?";
            sqlite.prepare_cached(sql)?.execute((address.class(), address.id()))
        })?;
        Ok(())
    }

    /// When the index has an actor's alarm.
    fn get(&self, address: &Address) -> Result<Option<i64>, StorageError> {
        self.with(|sqlite| {
            let sql = "SELECT due FROM alarms WHERE class = ? AND id = ?";
            let mut statement = sqlite.prepare_cached(sql)?;
            statement.query_row((address.class(), address.id()), |row| row.get(0)).optional()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StorageError> {
        work(&self.lock()).map_err(|error| StorageError::of(SqlError::from(error), &self.path))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.sqlite.lock().expect("nothing panics while the lock is held")
    }

    /// Reads the alarms of all files of the folder.
    fn fill(&self, folder: &Path) -> Result<(), StorageError> {
        let entries = |folder: &Path| match std::fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>(),
            Err(_) => Vec::new(),
        };
        for class in entries(folder).into_iter().filter(|path| path.is_dir()) {
            for file in entries(&class) {
                let Some(address) = Address::of_file(folder, &file) else { continue };
                match alarm_of(&file) {
                    Ok(Some(due)) => drop(self.set(&address, due)?),
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!("the alarm of {} is not known: {error}", file.display());
                    }
                }
            }
        }
        Ok(())
    }
}

fn open_index(path: &Path) -> Result<Connection, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let sqlite = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    sqlite.busy_timeout(BUSY_LIMIT)?;
    sqlite.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    sqlite.execute_batch(SCHEMA)?;
    Ok(sqlite)
}

/// The alarm in an actor's file.
fn alarm_of(file: &Path) -> Result<Option<i64>, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = Connection::open_with_flags(file, flags)?;
    sqlite.busy_timeout(BUSY_LIMIT)?;
    Ok(sqlite.query_row("SELECT value FROM _cf_METADATA WHERE key = 1", [], |row| row.get(0)).optional()?)
}

/// The alarm of an actor that runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum AlarmState {
    #[default]
    Waiting,
    /// Its handler runs for this time, and no other was set meanwhile.
    Runs(i64),
}

impl ActorStorage {
    /// When the alarm is due, in milliseconds since 1970. While the alarm's handler runs there is none, unless the
    /// handler has set one.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn get_alarm(&mut self) -> Result<Option<i64>, StorageError> {
        match self.alarm {
            AlarmState::Runs(_) => Ok(None),
            AlarmState::Waiting => self.stored_alarm(),
        }
    }

    /// Sets the alarm, in milliseconds since 1970, in place of the one before.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Misuse`]: this is a facet, which has no alarm.
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn set_alarm(&mut self, due: i64) -> Result<(), StorageError> {
        if self.address().is_facet() {
            let message = "a facet has no alarm: set one on the object that it belongs to".to_owned();
            return Err(StorageError::Misuse(message));
        }
        self.writing(|connection| {
            connection.begin()?;
            let sql = "/*host*/INSERT INTO _cf_METADATA VALUES (1, ?)
                       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            connection.host(sql)?.execute([due])?;
            Ok(())
        })?;
        self.alarm = AlarmState::Waiting;
        self.alarm_written = true;
        Ok(())
    }

    /// Remembers the name that the actor's id was made of, for alarms after a restart.
    ///
    /// # Errors
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn set_name(&mut self, name: &str) -> Result<(), StorageError> {
        self.writing(|connection| {
            connection.begin()?;
            let sql = "/*host*/INSERT INTO _cf_METADATA VALUES (2, ?)
                       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            connection.host(sql)?.execute([name])?;
            Ok(())
        })
    }

    /// The name that the actor's id was made of, if it was remembered.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the file cannot be opened, restored or read.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn name(&mut self) -> Result<Option<String>, StorageError> {
        let stored = self.reading(|connection| {
            let mut statement = connection.host("/*host*/SELECT value FROM _cf_METADATA WHERE key = 2")?;
            Ok(statement.query_row([], |row| row.get(0)).optional()?)
        })?;
        Ok(stored.flatten())
    }

    /// Deletes the alarm. While its handler runs, that alarm is not repeated.
    ///
    /// # Errors
    ///
    /// - [`StorageError::NotOwner`]: another instance owns the actor by now.
    /// - [`StorageError::Limit`]: the file would have more bytes than
    ///   [`StoreOptions::file_bytes`](super::StoreOptions::file_bytes).
    /// - [`StorageError::File`]: the file cannot be opened, restored, read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn delete_alarm(&mut self) -> Result<(), StorageError> {
        self.alarm = AlarmState::Waiting;
        if self.stored_alarm()?.is_none() {
            return Ok(());
        }
        self.writing(|connection| {
            connection.begin()?;
            connection.host("/*host*/DELETE FROM _cf_METADATA WHERE key = 1")?.execute([])?;
            Ok(())
        })?;
        self.alarm_written = true;
        Ok(())
    }

    /// Reads an alarm that is due in the index from the actor's file. Where it is due there too, its handler runs next.
    /// Corrects the index where it differs.
    ///
    /// # Errors
    ///
    /// - [`StorageError::File`]: the actor's file or the index cannot be read or written.
    /// - [`StorageError::Statement`]: SQLite reports another code, such as `SQLITE_BUSY`.
    pub fn begin_alarm(&mut self, now: i64) -> Result<DueAlarm, StorageError> {
        let due = self.stored_alarm()?;
        self.index_alarm(due)?;
        Ok(match due {
            Some(due) if due <= now => {
                self.alarm = AlarmState::Runs(due);
                DueAlarm::Due(due)
            }
            Some(due) => DueAlarm::Later(due),
            None => DueAlarm::Absent,
        })
    }

    /// The alarm's handler has ended. `is_over`: it succeeded, or is not repeated any more. The alarm is deleted then,
    /// unless the handler has set another; the next [`commit`](ActorStorage::commit) writes that to the file. Without
    /// `is_over` the alarm stays in the file. Returns whether the alarm that the handler ran for was still the actor's
    /// alarm.
    ///
    /// # Errors
    ///
    /// As [`ActorStorage::delete_alarm`], with `is_over` only.
    pub fn end_alarm(&mut self, is_over: bool) -> Result<bool, StorageError> {
        match self.alarm {
            AlarmState::Waiting => Ok(false),
            AlarmState::Runs(_) if is_over => self.delete_alarm().map(|()| true),
            AlarmState::Runs(_) => {
                self.alarm = AlarmState::Waiting;
                Ok(true)
            }
        }
    }

    /// The alarm in the file.
    pub(super) fn stored_alarm(&mut self) -> Result<Option<i64>, StorageError> {
        let stored = self.reading(|connection| {
            let mut statement = connection.host("/*host*/SELECT value FROM _cf_METADATA WHERE key = 1")?;
            Ok(statement.query_row([], |row| row.get(0)).optional()?)
        })?;
        Ok(stored.flatten())
    }

    /// Makes the index agree with the file.
    pub(super) fn index_alarm(&mut self, due: Option<i64>) -> Result<(), StorageError> {
        if self.address().is_facet() || self.store().alarms().get(self.address())? == due {
            return Ok(());
        }
        match due {
            Some(due) => self.store().alarms().set(self.address(), due).map(drop),
            None => self.store().alarms().remove(self.address()),
        }
    }
}
