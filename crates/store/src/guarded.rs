//! A connection for SQL of applications that share nothing with the host but the file: actors and D1 databases.
//!
//! Statements of the application may not begin or end transactions, reach other files or change settings, and do not
//! see the host's own tables, whose names begin with `_cf_`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Batch, CachedStatement, OpenFlags, Statement, StatementStatus};

use crate::results::HeldResult;
use crate::sqlite::{BUSY_LIMIT, STATEMENT_LIMIT, STEPS_PER_LOOK, length_of};
use crate::{ResultBudget, Row, SqlError, Value};

/// How many values may be bound to one statement.
pub const MAX_BINDS: usize = 100;

/// Bytes of a text, a blob or a row: 2 MB, and room for a key and the row's header.
const MAX_ROW: i32 = (2 << 20) + 4096;

/// Limits of one statement of an application.
const LIMITS: [(Limit, i32); 10] = [
    (Limit::SQLITE_LIMIT_LENGTH, MAX_ROW),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 100),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// With what the statements of the host begin, so that the cache of compiled statements never lends one of them to
/// the application, whose own statement of the same text would be refused.
const HOST: &str = "/*host*/";

/// Compiled statements that are kept for one connection.
const KEPT_STATEMENTS: usize = 48;

/// Settings that an application may read. It may write those that are marked, which last for one transaction.
const PRAGMAS: [(&str, bool); 21] = [
    ("data_version", false),
    ("defer_foreign_keys", true),
    ("foreign_key_check", false),
    ("foreign_key_list", false),
    ("foreign_keys", false),
    ("freelist_count", false),
    ("function_list", false),
    ("index_info", false),
    ("index_list", false),
    ("index_xinfo", false),
    ("integrity_check", false),
    ("module_list", false),
    ("optimize", false),
    ("page_count", false),
    ("page_size", false),
    ("pragma_list", false),
    ("quick_check", false),
    ("recursive_triggers", true),
    ("table_info", false),
    ("table_list", false),
    ("table_xinfo", false),
];

/// Of these, the argument names what is read.
const NAMING: [&str; 10] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Modules of virtual tables that an application may use.
const MODULES: [&str; 4] = ["fts5", "fts5vocab", "rtree", "rtree_i32"];

/// One connection. Its methods block.
pub(crate) struct GuardedConnection {
    sqlite: rusqlite::Connection,
    guard: Arc<Guard>,
    results: ResultBudget,
}

/// What a statement, or the last of several, has returned, and what all of them have done.
#[derive(Debug)]
pub struct Cursor {
    /// The names of the columns, each as often as the statement has it.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Row>,
    /// How many rows SQLite has read: those returned, or the steps of scans over whole tables where they are more.
    pub rows_read: u64,
    /// How many rows were inserted, updated or deleted, those of triggers and foreign keys included.
    pub rows_written: u64,
    /// How many rows the last statement itself changed.
    pub changes: u64,
    /// The `rowid` of the row that was inserted last on this connection.
    pub last_row_id: i64,
    /// How many statements were run.
    pub statements: usize,
    /// The memory of the rows, counted until the cursor is dropped.
    pub held: HeldResult,
}

/// When a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Before the first statement that writes, unless one is open.
    AtFirstWrite,
    /// Never: every statement is a transaction of its own, or one is open.
    Never,
}

/// Shared with SQLite's authorizer.
#[derive(Default)]
struct Guard {
    /// Whether a statement of the application is compiled or runs.
    guarded: AtomicBool,
    /// When it has to stop.
    deadline: Mutex<Option<Instant>>,
    refused: Mutex<Option<String>>,
}

impl Guard {
    fn is_late(&self) -> bool {
        lock(&self.deadline).is_some_and(|deadline| Instant::now() > deadline)
    }

    fn authorize(&self, AuthContext { action, .. }: AuthContext<'_>) -> Authorization {
        if !self.guarded.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        let why = match action {
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
                "a transaction does not begin or end in SQL: use transactionSync() or transaction() of the storage, or \
                 batch() of a database"
                    .to_owned()
            }
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
                "SQL reaches one file only: ATTACH, DETACH and VACUUM are not allowed".to_owned()
            }
            AuthAction::Pragma { pragma_name, pragma_value } => {
                let name = pragma_name.to_ascii_lowercase();
                match PRAGMAS.iter().find(|(known, _)| *known == name) {
                    Some((_, writes)) => {
                        let names = NAMING.contains(&&*name) || name == "optimize";
                        if pragma_value.is_none() || *writes || names {
                            return Authorization::Allow;
                        }
                        format!("PRAGMA {name} may be read, not written")
                    }
                    None => format!("PRAGMA {name} is not allowed"),
                }
            }
            AuthAction::Function { function_name }
                if ["load_extension", "fts3_tokenizer"]
                    .iter()
                    .any(|it| it.eq_ignore_ascii_case(function_name)) =>
            {
                format!("the function {function_name}() is not allowed")
            }
            AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. } => "temporary tables are not allowed".to_owned(),
            AuthAction::CreateVtable { module_name, .. }
                if !MODULES.iter().any(|it| it.eq_ignore_ascii_case(module_name)) =>
            {
                format!("virtual tables of `{module_name}` are not allowed; {} are", MODULES.join(", "))
            }
            AuthAction::Unknown { .. } => "a statement of this kind is not allowed".to_owned(),
            AuthAction::Read { table_name: name, .. }
            | AuthAction::Insert { table_name: name }
            | AuthAction::Update { table_name: name, .. }
            | AuthAction::Delete { table_name: name }
            | AuthAction::CreateTable { table_name: name }
            | AuthAction::DropTable { table_name: name }
            | AuthAction::AlterTable { table_name: name, .. }
            | AuthAction::CreateIndex { table_name: name, .. }
            | AuthAction::DropIndex { table_name: name, .. }
            | AuthAction::CreateTrigger { table_name: name, .. }
            | AuthAction::CreateView { view_name: name }
            | AuthAction::CreateVtable { table_name: name, .. }
                if is_host_table(name) =>
            {
                format!("the table {name} belongs to the host: names that begin with _cf_ are reserved")
            }
            _ => return Authorization::Allow,
        };
        *lock(&self.refused) = Some(why);
        Authorization::Deny
    }

    fn refusal(&self, error: rusqlite::Error, sql: &str) -> SqlError {
        let refused = lock(&self.refused).take();
        let mut error = match refused {
            Some(why) => SqlError::new("SQLITE_AUTH", why),
            None => SqlError::from(error),
        };
        if error.code == "SQLITE_INTERRUPT" {
            error.message = format!("the statement ran for {STATEMENT_LIMIT:?} and was stopped");
        }
        error.of(sql)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while the lock is held")
}

/// Whether a table is one of the host's.
pub(crate) fn is_host_table(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("_cf_"))
}

impl GuardedConnection {
    /// Opens a file, made if there is none, which may have at most `most` bytes.
    pub(crate) fn open(
        path: &Path,
        most: u64,
        results: &ResultBudget,
    ) -> Result<GuardedConnection, SqlError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut sqlite = rusqlite::Connection::open_with_flags(path, flags)?;
        sqlite.busy_timeout(BUSY_LIMIT)?;
        // A new file is written without waiting for the disk: the first commit's durability includes it.
        sqlite.execute_batch(
            "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 0; PRAGMA cache_size = -1024;
             PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;",
        )?;
        let page_size: i64 = sqlite.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = most / page_size.max(512).cast_unsigned();
        sqlite.query_row(&format!("PRAGMA max_page_count = {}", pages.clamp(16, 1 << 30)), [], |_| Ok(()))?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        for (limit, value) in LIMITS {
            sqlite.set_limit(limit, value)?;
        }
        sqlite.set_limit(Limit::SQLITE_LIMIT_VARIABLE_NUMBER, MAX_BINDS as i32)?;
        sqlite.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
        let guard = Arc::new(Guard::default());
        let (shared, timed) = (guard.clone(), guard.clone());
        sqlite.progress_handler(STEPS_PER_LOOK, Some(move || timed.is_late()))?;
        sqlite.authorizer(Some(move |context: AuthContext<'_>| shared.authorize(context)))?;
        Ok(GuardedConnection { sqlite, guard, results: results.clone() })
    }

    /// A statement of the host, compiled once.
    pub(crate) fn host(&self, sql: &'static str) -> Result<CachedStatement<'_>, SqlError> {
        debug_assert!(sql.starts_with(HOST), "a statement of the host begins with {HOST}: {sql}");
        Ok(self.sqlite.prepare_cached(sql)?)
    }

    /// Statements of the host, without results.
    pub(crate) fn host_batch(&self, sql: &str) -> Result<(), SqlError> {
        Ok(self.sqlite.execute_batch(sql)?)
    }

    /// Whether a transaction is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    /// Begins a transaction, unless one is open.
    pub(crate) fn begin(&self) -> Result<(), SqlError> {
        if self.is_in_transaction() {
            return Ok(());
        }
        // Immediate, so that the background's connections cannot make a later write fail.
        self.host("/*host*/BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Commits the open transaction. Where that fails it is rolled back.
    pub(crate) fn commit(&self) -> Result<(), SqlError> {
        let committed = self.host("/*host*/COMMIT").and_then(|mut it| Ok(it.execute([])?));
        if committed.is_err() {
            self.rollback();
        }
        committed.map(|_| ())
    }

    /// Rolls the open transaction back, if there is one.
    pub(crate) fn rollback(&self) {
        if self.is_in_transaction()
            && let Err(error) = self.sqlite.execute_batch("ROLLBACK")
        {
            tracing::error!("a transaction could not be rolled back: {error}");
        }
    }

    /// The number of bytes of the file's pages that are in use.
    pub(crate) fn size(&self) -> Result<u64, SqlError> {
        let sql = "/*host*/SELECT (c.page_count - f.freelist_count) * s.page_size
                   FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s";
        let size: i64 = self.host(sql)?.query_row([], |row| row.get(0))?;
        Ok(size.max(0).cast_unsigned())
    }

    /// Whether the file has as many pages as it may have, so that "full" is about this limit and not about the disk.
    pub(crate) fn is_at_limit(&self) -> bool {
        let pages = |sql| self.host(sql).and_then(|mut it| Ok(it.query_row([], |row| row.get::<_, i64>(0))?));
        let (Ok(pages), Ok(most)) =
            (pages("/*host*/PRAGMA page_count"), pages("/*host*/PRAGMA max_page_count"))
        else {
            return false;
        };
        pages >= most
    }

    /// Runs any number of statements of the application; the values are bound to the last one, whose rows are
    /// returned.
    pub(crate) fn exec(&self, sql: &str, binds: &[Value], begin: Begin) -> Result<Cursor, SqlError> {
        let _guarded = self.guarded();
        let mut run = Run::new(self, sql, binds, begin);
        let several = sql.trim_end().trim_end_matches(';').contains(';');
        if several || sql.starts_with(HOST) || is_pragma(sql) {
            run.several()?;
        } else {
            let mut statement =
                self.sqlite.prepare_cached(sql).map_err(|error| self.guard.refusal(error, sql))?;
            if !is_empty(&statement) {
                run.last(&mut statement)?;
            }
        }
        if run.cursor.statements == 0 {
            return Err(SqlError::misuse("there is no statement").of(sql));
        }
        Ok(run.cursor)
    }

    /// Runs one statement of the application, whose values are for `?` or `?NNN`.
    pub(crate) fn exec_one(&self, sql: &str, binds: &[Value]) -> Result<Cursor, SqlError> {
        let _guarded = self.guarded();
        let failed = |error| self.guard.refusal(error, sql);
        let mut run = Run::new(self, sql, binds, Begin::Never);
        if sql.starts_with(HOST) || is_pragma(sql) {
            run.only(&mut self.sqlite.prepare(sql).map_err(failed)?)?;
        } else {
            let mut statement = self.sqlite.prepare_cached(sql).map_err(failed)?;
            run.only(&mut statement)?;
        }
        Ok(run.cursor)
    }

    /// Copies the whole database into a new file, without the pages that are not in use.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), SqlError> {
        self.sqlite.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1)?;
        let copied = self.sqlite.execute("VACUUM INTO ?", [path.to_string_lossy()]);
        self.sqlite.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        Ok(copied.map(drop)?)
    }

    /// Marks that statements of the application run, until the result is dropped. Stops them after the limit of time.
    fn guarded(&self) -> Guarded<'_> {
        *lock(&self.guard.deadline) = Some(Instant::now() + STATEMENT_LIMIT);
        self.guard.guarded.store(true, Ordering::Relaxed);
        Guarded(self)
    }

    /// Runs a part of the host's work between statements of the application.
    fn unguarded<T>(&self, work: impl FnOnce() -> T) -> T {
        self.guard.guarded.store(false, Ordering::Relaxed);
        let result = work();
        self.guard.guarded.store(true, Ordering::Relaxed);
        result
    }
}

struct Guarded<'a>(&'a GuardedConnection);

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        self.0.guard.guarded.store(false, Ordering::Relaxed);
        *lock(&self.0.guard.deadline) = None;
    }
}

/// One call of [`GuardedConnection::exec`].
struct Run<'a> {
    connection: &'a GuardedConnection,
    sql: &'a str,
    binds: &'a [Value],
    begin: Begin,
    cursor: Cursor,
}

impl<'a> Run<'a> {
    fn new(connection: &'a GuardedConnection, sql: &'a str, binds: &'a [Value], begin: Begin) -> Run<'a> {
        let cursor = Cursor {
            columns: Vec::new(),
            rows: Vec::new(),
            rows_read: 0,
            rows_written: 0,
            changes: 0,
            last_row_id: 0,
            statements: 0,
            held: connection.results.begin(),
        };
        Run { connection, sql, binds, begin, cursor }
    }

    /// Runs the statements one after the other: each is compiled when those before it have run.
    fn several(&mut self) -> Result<(), SqlError> {
        let connection = self.connection;
        let failed = |error| connection.guard.refusal(error, self.sql);
        let mut batch = Batch::new(&connection.sqlite, self.sql);
        let Some(mut statement) = batch.next().map_err(failed)? else { return Ok(()) };
        loop {
            if statement.parameter_count() == 0 {
                // The next one may need what this one creates, so that the last is known only when it has run.
                let rows = self.run(&mut statement, &[])?;
                drop(statement);
                match batch.next().map_err(failed)? {
                    Some(next) => statement = next,
                    None if self.binds.is_empty() => {
                        self.keep(rows);
                        return Ok(());
                    }
                    None => return Err(bind_count(0, self.binds.len()).of(self.sql)),
                }
            } else {
                return self.last_of(statement, batch);
            }
        }
    }

    /// Runs a statement that takes values, and so has to be the last one. Where it is not, it is undone.
    fn last_of(&mut self, mut statement: Statement<'_>, mut batch: Batch<'_, '_>) -> Result<(), SqlError> {
        let connection = self.connection;
        connection.unguarded(|| {
            if self.begin == Begin::AtFirstWrite {
                connection.begin()?;
            }
            connection.host_batch("SAVEPOINT _cf_last")
        })?;
        let mut done = self.last(&mut statement);
        drop(statement);
        if done.is_ok() {
            done = match batch.next() {
                Ok(None) => Ok(()),
                Ok(Some(_)) => {
                    Err(SqlError::misuse("of several statements only the last may take values").of(self.sql))
                }
                Err(error) => Err(connection.guard.refusal(error, self.sql)),
            };
        }
        if connection.is_in_transaction() {
            let end = match done {
                Ok(()) => "RELEASE _cf_last",
                Err(_) => "ROLLBACK TO _cf_last; RELEASE _cf_last",
            };
            connection.unguarded(|| connection.host_batch(end))?;
        }
        done
    }

    /// Runs the only statement.
    fn only(&mut self, statement: &mut Statement<'_>) -> Result<(), SqlError> {
        if is_empty(statement) {
            return Err(SqlError::misuse("there is no statement").of(self.sql));
        }
        for index in 1..=statement.parameter_count() {
            if let Some(name) = statement.parameter_name(index)
                && !name.starts_with('?')
            {
                let message = format!("values are bound to ? or ?1, ?2 and so on, not to {name}");
                return Err(SqlError::new("SQLITE_RANGE", message).of(self.sql));
            }
        }
        self.last(statement)
    }

    fn last(&mut self, statement: &mut Statement<'_>) -> Result<(), SqlError> {
        let rows = self.run(statement, self.binds)?;
        self.keep(rows);
        Ok(())
    }

    fn keep(&mut self, (columns, rows, held): (Vec<String>, Vec<Row>, HeldResult)) {
        (self.cursor.columns, self.cursor.rows, self.cursor.held) = (columns, rows, held);
    }

    fn run(
        &mut self,
        statement: &mut Statement<'_>,
        binds: &[Value],
    ) -> Result<(Vec<String>, Vec<Row>, HeldResult), SqlError> {
        let (connection, sql) = (self.connection, self.sql);
        let failed = |error| connection.guard.refusal(error, sql);
        let limited = |error: SqlError| error.of(sql);
        if statement.parameter_count() != binds.len() {
            return Err(bind_count(statement.parameter_count(), binds.len()).of(sql));
        }
        // A setting that lasts for one transaction needs one.
        if self.begin == Begin::AtFirstWrite && (!statement.readonly() || is_pragma(sql)) {
            connection.unguarded(|| connection.begin())?;
        }
        for (value, index) in binds.iter().zip(1..) {
            statement.raw_bind_parameter(index, value).map_err(failed)?;
        }
        let before = connection.sqlite.total_changes();
        statement.reset_status(StatementStatus::FullscanStep);
        let mut held = connection.results.begin();
        let mut rows = Vec::new();
        let mut read = statement.raw_query();
        while let Some(row) = read.next().map_err(failed)? {
            let count = row.as_ref().column_count();
            let mut fields = Vec::with_capacity(count);
            let mut bytes = 0;
            for index in 0..count {
                let field = row.get_ref(index).map_err(failed)?;
                bytes += length_of(field);
                fields.push(Value::from(field));
            }
            held.grow(count, bytes).map_err(limited)?;
            rows.push(fields.into_boxed_slice());
        }
        drop(read);
        let columns = statement.column_names().map(str::to_owned).collect();
        let scanned = statement.get_status(StatementStatus::FullscanStep).max(0).unsigned_abs();
        let written = connection.sqlite.total_changes() - before;
        let cursor = &mut self.cursor;
        cursor.statements += 1;
        cursor.rows_read += u64::from(scanned).max(rows.len() as u64);
        cursor.rows_written += written;
        cursor.changes = if written == 0 { 0 } else { connection.sqlite.changes() };
        cursor.last_row_id = connection.sqlite.last_insert_rowid();
        Ok((columns, rows, held))
    }
}

fn bind_count(count: usize, given: usize) -> SqlError {
    SqlError::new("SQLITE_RANGE", format!("the statement takes {count} values, and {given} were bound"))
}

fn is_pragma(sql: &str) -> bool {
    sql.trim_start().get(..6).is_some_and(|start| start.eq_ignore_ascii_case("pragma"))
}

fn is_empty(statement: &Statement<'_>) -> bool {
    statement.column_count() == 0 && statement.expanded_sql().is_none_or(|sql| sql.is_empty())
}
