//! Databases with the results of Workers' D1.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::guarded::{Begin, Cursor, GuardedConnection};
use crate::thread::OwnThread;
use crate::{HeldResult, ResultBudget, Row, SqlError, Value};

/// Bytes that a database may have.
const MAX_BYTES: u64 = 10 << 30;

/// How many statements a batch may have.
const MAX_BATCH: usize = 1000;

/// A database. Clones share it; it closes when the last one is dropped.
#[derive(Clone)]
pub struct D1Database {
    thread: OwnThread<GuardedConnection>,
    path: PathBuf,
}

/// One statement and the values of its parameters. Of several statements, the last has the values and the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct D1Statement {
    /// The statement.
    pub sql: String,
    /// The values.
    pub binds: Vec<Value>,
}

/// What a statement has returned and done.
#[derive(Debug)]
pub struct D1Result {
    /// The names of the columns, each as often as the statement has it.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What it has done.
    pub meta: D1Meta,
    /// The memory of the rows, counted until this is dropped.
    pub held: HeldResult,
}

/// What a statement has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct D1Meta {
    /// How long it ran.
    pub duration: Duration,
    /// How many rows it has changed.
    pub changes: u64,
    /// The `rowid` of the row that was inserted last.
    pub last_row_id: i64,
    /// Whether it has changed the database.
    pub changed_db: bool,
    /// Bytes of the database.
    pub size_after: u64,
    /// How many rows were read.
    pub rows_read: u64,
    /// How many rows were written.
    pub rows_written: u64,
}

/// What several statements without values have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct D1Exec {
    /// How many lines they had.
    pub count: usize,
    /// How long they ran.
    pub duration: Duration,
}

impl D1Database {
    /// Opens a file, made if there is none.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file or its folder cannot be opened or created, or no thread could start.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: &Path, results: &ResultBudget) -> Result<D1Database, SqlError> {
        super::make_folder_of(path)?;
        let (file, results) = (path.to_owned(), results.clone());
        let thread = OwnThread::start(move || {
            let connection = GuardedConnection::open(&file, MAX_BYTES, &results);
            connection.map_err(|mut error| {
                error.message = format!("{}: {}", file.display(), error.message);
                error
            })
        })?;
        Ok(D1Database { thread, path: path.to_owned() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a statement: `all()`, `run()`, `first()` and `raw()`.
    ///
    /// # Errors
    ///
    /// - `SQLITE_BUSY`: 10,000 tasks wait for the database's thread, or another connection has locked the file for 5
    ///   seconds.
    /// - `SQLITE_INTERRUPT`: all statements of the call together ran for 5 seconds.
    /// - `SQLITE_TOOBIG`: a value or a row has more than 2 MiB and 4 KiB, the SQL of the call more than 100,000 bytes,
    ///   or the result more than [`ResultBudget::most`] (`--max-result`).
    /// - `SQLITE_NOMEM`: all results of the process together would take more bytes than [`ResultBudget::budget`], which
    ///   is eight times `--max-result`.
    /// - `SQLITE_RANGE`: there are more or fewer values than parameters.
    /// - `SQLITE_MISUSE`: there is no statement, or a statement that is not the last one takes values.
    /// - `SQLITE_AUTH`: a statement begins or ends a transaction, reaches another file (`ATTACH`, `VACUUM`), uses a
    ///   table whose name begins with `_cf_`, a temporary table, or a `PRAGMA`, function or kind of virtual table that
    ///   is not allowed.
    /// - `SQLITE_CONSTRAINT` and codes that begin with it: a statement violates a constraint.
    /// - `SQLITE_FULL`: the file would have more than 10 GiB, or the disk is full.
    /// - `SQLITE_ABORT`: the database's thread has ended.
    /// - Any other code that SQLite reports: `SQLITE_ERROR` for SQL that it cannot compile, or with more than 100
    ///   parameters.
    pub async fn query(&self, statement: D1Statement) -> Result<D1Result, SqlError> {
        self.thread.with(move |connection| run(connection, &statement)).await
    }

    /// Runs statements in one transaction: all of them or none.
    ///
    /// # Errors
    ///
    /// - `SQLITE_TOOBIG`: there are more than 1,000 statements.
    /// - The codes of [`D1Database::query`]: for a statement, which may run for 5 seconds, or for the commit, for
    ///   example `SQLITE_CONSTRAINT_FOREIGNKEY` because a deferred foreign key is violated. Nothing is written then.
    pub async fn batch(&self, statements: Vec<D1Statement>) -> Result<Vec<D1Result>, SqlError> {
        if statements.len() > MAX_BATCH {
            let message = format!("a batch has at most {MAX_BATCH} statements, not {}", statements.len());
            return Err(SqlError::new("SQLITE_TOOBIG", message));
        }
        self.thread
            .with(move |connection| {
                connection.begin()?;
                let results: Result<Vec<_>, _> =
                    statements.iter().map(|statement| run(connection, statement)).collect();
                match &results {
                    Ok(_) => connection.commit()?,
                    Err(_) => connection.rollback(),
                }
                results
            })
            .await
    }

    /// Runs any number of statements without values, which are usually one for each line: all of them or none.
    ///
    /// # Errors
    ///
    /// The codes of [`D1Database::query`], also for the commit. Nothing is written then. All statements together may
    /// run for 5 seconds; `SQLITE_RANGE` if one has parameters.
    pub async fn exec(&self, sql: String) -> Result<D1Exec, SqlError> {
        self.thread
            .with(move |connection| {
                let began = Instant::now();
                connection.begin()?;
                match connection.exec(&sql, &[], Begin::Never) {
                    Ok(_) => connection.commit()?,
                    Err(error) => {
                        connection.rollback();
                        return Err(error);
                    }
                }
                Ok(D1Exec { count: sql.trim().split('\n').count(), duration: began.elapsed() })
            })
            .await
    }

    /// A copy of the whole database, as the bytes of a SQLite file.
    ///
    /// # Errors
    ///
    /// - `SQLITE_BUSY`: 10,000 tasks wait for the database's thread.
    /// - `SQLITE_IOERR`: the copy cannot be read or deleted. It is a file beside the database for as long as this runs.
    /// - `SQLITE_ABORT`: the database's thread has ended.
    /// - Any other code that SQLite reports while it makes the copy, such as `SQLITE_FULL`.
    pub async fn dump(&self) -> Result<Vec<u8>, SqlError> {
        let path = self.path.clone();
        self.thread
            .with(move |connection| {
                let mut name = path.into_os_string();
                name.push(".dump");
                let copy = PathBuf::from(name);
                let failed = |error: std::io::Error| SqlError::new("SQLITE_IOERR", error.to_string());
                let _ = std::fs::remove_file(&copy);
                connection.copy_to(&copy)?;
                let bytes = std::fs::read(&copy).map_err(failed);
                std::fs::remove_file(&copy).map_err(failed)?;
                bytes
            })
            .await
    }
}

fn run(connection: &GuardedConnection, statement: &D1Statement) -> Result<D1Result, SqlError> {
    let before = connection.size()?;
    let began = Instant::now();
    let cursor = connection.exec(&statement.sql, &statement.binds, Begin::Never)?;
    let duration = began.elapsed();
    let Cursor { columns, rows, rows_read, rows_written, changes, last_row_id, held, .. } = cursor;
    let size_after = connection.size()?;
    let changed_db = changes > 0 || rows_written > 0 || size_after != before;
    let meta = D1Meta { duration, changes, last_row_id, changed_db, size_after, rows_read, rows_written };
    Ok(D1Result { columns, rows, meta, held })
}
