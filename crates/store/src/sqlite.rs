//! One connection to SQLite: runs statements within limits, and records which tables each reads and writes.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, OpenFlags, Statement, ffi};

use super::live_query::ResultSet;
use super::{Params, ResultBudget, SqlError, Value};

/// How long one statement may run before it is stopped.
pub(crate) const STATEMENT_LIMIT: Duration = Duration::from_secs(5);

/// How long a statement waits for another process to finish writing.
pub(crate) const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// How many instructions of SQLite's virtual machine run between two checks of the time: some microseconds.
pub(crate) const STEPS_PER_LOOK: i32 = 10_000;

/// How many compiled statements are cached, with the tables that they read and write.
const KEPT_STATEMENTS: usize = 256;

/// The table in which SQLite stores the schema.
const SCHEMA: &str = "sqlite_master";

/// What a statement found and did.
#[derive(Debug)]
pub struct Outcome {
    /// The rows that it found.
    pub result: ResultSet,
    /// How many rows were inserted, updated or deleted.
    pub changes: u64,
    /// The `rowid` of the row that the statement inserted last, if it inserted any.
    pub last_insert_rowid: Option<i64>,
}

/// What commits have written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Tables(HashSet<String>),
    Everything,
}

/// One connection. Its methods block.
pub(crate) struct SqliteConnection {
    sqlite: rusqlite::Connection,
    record: Arc<Mutex<CallbackRecord>>,
    accesses: HashMap<String, Arc<Access>>,
    results: ResultBudget,
    data_version: i64,
}

/// The tables that one statement reads and writes.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub reads: HashSet<String>,
    writes: HashSet<String>,
    inserts: bool,
}

/// What SQLite has reported through its callbacks.
#[derive(Default)]
struct CallbackRecord {
    /// The tables of the statement that is being compiled.
    access: Access,
    /// Whether SQLite compiled the statement, rather than taking it from the cache.
    compiled: bool,
    /// Why the statement that is being compiled was refused.
    refused: Option<&'static str>,
    /// Whether a caller's statement is being compiled, rather than one of this file or of SQLite.
    guarded: bool,
    in_transaction: bool,
    /// Tables that were written since [`SqliteConnection::take_written`].
    written: HashSet<String>,
    committed: bool,
}

impl CallbackRecord {
    fn authorize(&mut self, AuthContext { action, accessor, .. }: AuthContext<'_>) -> Authorization {
        self.compiled = true;
        match action {
            AuthAction::Read { table_name, .. } => {
                self.access.reads.insert(table_name.to_owned());
            }
            AuthAction::Insert { table_name } => {
                self.access.writes.insert(table_name.to_owned());
                self.access.inserts |= accessor.is_none() && !table_name.starts_with("sqlite_");
            }
            AuthAction::Update { table_name, .. } | AuthAction::Delete { table_name } => {
                self.access.writes.insert(table_name.to_owned());
            }
            // SQLite reports every other change of the schema as a write of this table.
            AuthAction::AlterTable { .. } => {
                self.access.writes.insert(SCHEMA.to_owned());
            }
            AuthAction::Transaction { .. } if self.guarded => {
                return self.refuse("a transaction begins and ends with transaction(), not in SQL");
            }
            AuthAction::Savepoint { .. } if self.guarded && !self.in_transaction => {
                return self.refuse("savepoints are for transactions: use transaction()");
            }
            // Also while a statement runs: VACUUM INTO attaches its file then. VACUUM itself attaches "".
            AuthAction::Attach { filename } if !filename.is_empty() => {
                return self.refuse("a database cannot attach another: use openDatabase()");
            }
            // The name of the file is not known yet where it is an expression or a parameter.
            AuthAction::Unknown { code: ffi::SQLITE_ATTACH, .. } => {
                return self.refuse("a database cannot attach another: use openDatabase()");
            }
            _ => {}
        }
        Authorization::Allow
    }

    fn refuse(&mut self, why: &'static str) -> Authorization {
        self.refused = Some(why);
        Authorization::Deny
    }
}

impl SqliteConnection {
    /// Opens a file, made if there is none, or a new database in memory.
    pub(crate) fn open(path: Option<&Path>, results: ResultBudget) -> Result<SqliteConnection, SqlError> {
        let mut sqlite = match path {
            Some(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
                rusqlite::Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?
            }
            None => rusqlite::Connection::open_in_memory()?,
        };
        sqlite.busy_timeout(BUSY_LIMIT)?;
        let longest = i32::try_from(results.most()).unwrap_or(i32::MAX);
        sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        sqlite.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        sqlite.execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")?;
        if path.is_some() {
            // Readers in other processes and writers here do not wait for each other.
            sqlite.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
        }
        let record = Arc::new(Mutex::new(CallbackRecord::default()));
        let (compiling, updating, committing, rolling) =
            (record.clone(), record.clone(), record.clone(), record.clone());
        sqlite.authorizer(Some(move |context: AuthContext<'_>| lock(&compiling).authorize(context)))?;
        // The authorizer does not report rows that foreign keys delete.
        sqlite.update_hook(Some(move |_, _: &str, table: &str, _| {
            let written = &mut lock(&updating).written;
            if !written.contains(table) {
                written.insert(table.to_owned());
            }
        }))?;
        sqlite.commit_hook(Some(move || {
            lock(&committing).committed = true;
            false
        }))?;
        sqlite.rollback_hook(Some(move || lock(&rolling).written.clear()))?;
        let mut connection =
            SqliteConnection { sqlite, record, accesses: HashMap::new(), results, data_version: 0 };
        connection.has_other_writes()?;
        Ok(connection)
    }

    /// Runs one statement.
    pub(crate) fn run(&mut self, sql: &str, params: &Params) -> Result<Outcome, SqlError> {
        self.limit_time()?;
        let before = self.sqlite.total_changes();
        let results = self.results.clone();
        let (mut statement, access) = self.prepare(sql)?;
        let writes_and_returns = !access.writes.is_empty() && statement.column_count() > 0;
        let result = match writes_and_returns {
            false => Some(rows_of(&mut statement, params, sql, false, &results)?),
            true => None,
        };
        drop(statement);
        let result = match result {
            Some(result) => result,
            None => self.write_and_return(sql, params, &results)?,
        };
        let changes = if self.sqlite.total_changes() == before { 0 } else { self.sqlite.changes() };
        let last_insert_rowid = (access.inserts && changes > 0).then(|| self.sqlite.last_insert_rowid());
        lock(&self.record).written.extend(access.writes.iter().cloned());
        Ok(Outcome { result, changes, last_insert_rowid })
    }

    /// Runs a statement that writes and has a result, which may be too large: then nothing is written.
    fn write_and_return(
        &mut self,
        sql: &str,
        params: &Params,
        results: &ResultBudget,
    ) -> Result<ResultSet, SqlError> {
        let begins_transaction = !self.is_in_transaction();
        self.sqlite.execute_batch("SAVEPOINT liveline_statement")?;
        let result = self
            .prepare(sql)
            .and_then(|(mut statement, _)| rows_of(&mut statement, params, sql, false, results));
        if result.is_err() && self.is_in_transaction() {
            // Where the error has ended the transaction, there is nothing left to undo.
            self.sqlite.execute_batch("ROLLBACK TO liveline_statement")?;
        }
        if self.is_in_transaction()
            && let Err(error) = self.sqlite.execute_batch("RELEASE liveline_statement")
        {
            // The outermost release commits, and a commit that fails leaves the transaction open.
            if begins_transaction {
                self.rollback();
            }
            return Err(SqlError::from(error).of(sql));
        }
        result
    }

    /// Runs a statement that only reads; also returns the tables that it read.
    pub(crate) fn select(
        &mut self,
        sql: &str,
        params: &Params,
    ) -> Result<(ResultSet, Arc<Access>), SqlError> {
        self.limit_time()?;
        let results = self.results.clone();
        let (mut statement, access) = self.prepare(sql)?;
        if !statement.readonly() {
            return Err(SqlError::misuse("only a statement that reads can be live").of(sql));
        }
        Ok((rows_of(&mut statement, params, sql, true, &results)?, access))
    }

    /// Runs any number of statements, without parameters and results.
    pub(crate) fn exec(&mut self, sql: &str) -> Result<(), SqlError> {
        self.limit_time()?;
        let mut batch = Batch::new(&self.sqlite, sql);
        loop {
            watch(&self.record);
            let statement = batch.next();
            let mut record = unwatch(&self.record);
            let statement = statement.map_err(|error| refusal(record.refused.take(), error, sql))?;
            let Some(mut statement) = statement else { return Ok(()) };
            if statement.parameter_count() > 0 {
                return Err(SqlError::misuse("exec() takes no parameters; query() does").of(sql));
            }
            let writes = mem::take(&mut record.access.writes);
            drop(record);
            let mut rows = statement.raw_query();
            while rows.next().map_err(|error| SqlError::from(error).of(sql))?.is_some() {}
            lock(&self.record).written.extend(writes);
        }
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<(), SqlError> {
        self.limit_time()?;
        // Immediate, so that two processes cannot both read first and then fail to write.
        self.sqlite.execute_batch("BEGIN IMMEDIATE")?;
        lock(&self.record).in_transaction = true;
        Ok(())
    }

    /// Commits the transaction. Where that fails it is rolled back.
    pub(crate) fn commit(&mut self) -> Result<(), SqlError> {
        self.limit_time()?;
        let committed = self.sqlite.execute_batch("COMMIT");
        if committed.is_err() {
            self.rollback();
        }
        lock(&self.record).in_transaction = false;
        Ok(committed?)
    }

    /// Rolls the transaction back, if it is still open.
    pub(crate) fn rollback(&mut self) {
        lock(&self.record).in_transaction = false;
        if !self.sqlite.is_autocommit()
            && let Err(error) = self.sqlite.execute_batch("ROLLBACK")
        {
            tracing::error!("a transaction could not be rolled back: {error}");
        }
    }

    /// Whether the transaction that was begun is still open: an error may have rolled it back.
    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    /// What this connection has committed since the last call; None where that is nothing or a transaction is open.
    pub(crate) fn take_written(&mut self) -> Option<Written> {
        if self.is_in_transaction() {
            return None;
        }
        let mut record = lock(&self.record);
        let written = mem::take(&mut record.written);
        if !mem::take(&mut record.committed) {
            return None;
        }
        let is_schema = |table: &String| matches!(&**table, SCHEMA | "sqlite_temp_master");
        drop(record);
        if !written.iter().any(is_schema) {
            return Some(Written::Tables(written));
        }
        self.clear_statements();
        Some(Written::Everything)
    }

    /// Whether another connection, of this or another process, has committed since the last call.
    pub(crate) fn has_other_writes(&mut self) -> Result<bool, SqlError> {
        let mut statement = self.sqlite.prepare_cached("PRAGMA data_version")?;
        let version = statement.query_row([], |row| row.get(0))?;
        drop(statement);
        let is_changed = mem::replace(&mut self.data_version, version) != version;
        if is_changed {
            self.clear_statements();
        }
        Ok(is_changed)
    }

    /// Clears the cache of compiled statements and of their tables, which SQLite only reports when it compiles a
    /// statement.
    fn clear_statements(&mut self) {
        self.sqlite.flush_prepared_statement_cache();
        self.accesses.clear();
    }

    /// A compiled statement, and the tables that it reads and writes.
    fn prepare(&mut self, sql: &str) -> Result<(rusqlite::CachedStatement<'_>, Arc<Access>), SqlError> {
        if self.accesses.len() >= KEPT_STATEMENTS && !self.accesses.contains_key(sql) {
            self.clear_statements();
        }
        watch(&self.record);
        let statement = self.sqlite.prepare_cached(sql);
        let mut record = unwatch(&self.record);
        let statement = statement.map_err(|error| refusal(record.refused.take(), error, sql))?;
        if record.compiled {
            let access = Arc::new(mem::take(&mut record.access));
            self.accesses.insert(sql.to_owned(), access);
        }
        drop(record);
        if statement.column_count() == 0 && statement.expanded_sql().is_none_or(|sql| sql.is_empty()) {
            return Err(SqlError::misuse("there is no statement").of(sql));
        }
        let access = self.accesses.get(sql).cloned().unwrap_or_default();
        Ok((statement, access))
    }

    /// Stops the next statement after [`STATEMENT_LIMIT`].
    fn limit_time(&mut self) -> Result<(), SqlError> {
        let deadline = Instant::now() + STATEMENT_LIMIT;
        Ok(self.sqlite.progress_handler(STEPS_PER_LOOK, Some(move || Instant::now() > deadline))?)
    }
}

/// Begins to record the compilation of a caller's statement.
fn watch(record: &Mutex<CallbackRecord>) {
    let mut record = lock(record);
    record.access = Access::default();
    record.compiled = false;
    record.refused = None;
    record.guarded = true;
}

/// Ends what [`watch`] began.
fn unwatch(record: &Mutex<CallbackRecord>) -> MutexGuard<'_, CallbackRecord> {
    let mut record = lock(record);
    record.guarded = false;
    record
}

fn lock(record: &Mutex<CallbackRecord>) -> MutexGuard<'_, CallbackRecord> {
    record.lock().expect("nothing panics while SQLite's callbacks run")
}

fn refusal(refused: Option<&'static str>, error: rusqlite::Error, sql: &str) -> SqlError {
    match refused {
        Some(why) => SqlError::new("SQLITE_AUTH", why),
        None => SqlError::from(error),
    }
    .of(sql)
}

/// Binds the parameters and reads every row. Of columns with the same name the last counts, as in an object.
fn rows_of(
    statement: &mut Statement<'_>,
    params: &Params,
    sql: &str,
    with_key: bool,
    results: &ResultBudget,
) -> Result<ResultSet, SqlError> {
    let failed = |error| limit_or(error, results).of(sql);
    bind(statement, params).map_err(failed)?;
    let mut held = results.begin();
    // SQLite may compile the statement again when it starts, and find other columns than before.
    let mut shown = None;
    let mut rows = Vec::new();
    let mut read = statement.raw_query();
    while let Some(row) = read.next().map_err(|error| failed(error.into()))? {
        let shown = shown.get_or_insert_with(|| shown_columns(row.as_ref()));
        let bytes = shown.iter().map(|index| row.get_ref(*index).map_or(0, length_of)).sum();
        held.grow(shown.len(), bytes).map_err(failed)?;
        let fields = shown.iter().map(|index| row.get_ref(*index).map(Value::from));
        rows.push(fields.collect::<Result<_, _>>()?);
    }
    drop(read);
    let shown = shown.unwrap_or_else(|| shown_columns(statement));
    let columns = shown.iter().filter_map(|index| Some(statement.column_name(*index).ok()?.to_owned()));
    let columns = columns.collect();
    let is_key = |index: usize| matches!(statement.column_metadata(index), Ok(Some(it)) if it.6);
    let key = match with_key {
        true => (0..shown.len()).filter(|column| is_key(shown[*column])).collect(),
        false => Vec::new(),
    };
    Ok(ResultSet { columns, key, rows, held })
}

fn shown_columns(statement: &Statement<'_>) -> Vec<usize> {
    let names: Vec<_> = statement.column_names().collect();
    (0..names.len()).filter(|index| !names[index + 1..].contains(&names[*index])).collect()
}

/// Bytes of a value that are not part of the row itself.
pub(crate) fn length_of(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    }
}

/// The error, with a message that names the limit where it is about one.
fn limit_or(mut error: SqlError, results: &ResultBudget) -> SqlError {
    match error.code {
        "SQLITE_INTERRUPT" => {
            error.message = format!("the statement ran for {STATEMENT_LIMIT:?} and was stopped");
        }
        "SQLITE_TOOBIG" if !error.message.contains("--max-result") => return results.value_too_large(),
        _ => {}
    }
    error
}

fn bind(statement: &mut Statement<'_>, params: &Params) -> Result<(), SqlError> {
    let count = statement.parameter_count();
    match params {
        Params::Positional(values) => {
            if values.len() != count {
                let given = values.len();
                return Err(SqlError::new(
                    "SQLITE_RANGE",
                    format!("the statement has {count} parameters, and {given} values were given"),
                ));
            }
            for (value, index) in values.iter().zip(1..) {
                statement.raw_bind_parameter(index, value)?;
            }
        }
        Params::Named(values) => {
            let mut used = HashSet::new();
            for index in 1..=count {
                let name = statement.parameter_name(index).filter(|name| !name.starts_with('?'));
                let name = name.ok_or_else(|| {
                    SqlError::new("SQLITE_RANGE", "the statement has a `?`: give its values as an array")
                })?;
                let found = values.iter().find(|(given, _)| given == name || *given == name[1..]);
                let (given, value) = found
                    .ok_or_else(|| SqlError::new("SQLITE_RANGE", format!("no value was given for {name}")))?;
                used.insert(given);
                statement.raw_bind_parameter(index, value)?;
            }
            if let Some((unknown, _)) = values.iter().find(|(given, _)| !used.contains(given)) {
                return Err(SqlError::new(
                    "SQLITE_RANGE",
                    format!("the statement has no parameter named `{unknown}`"),
                ));
            }
        }
    }
    Ok(())
}
