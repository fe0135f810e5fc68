//! One database: the thread that owns its SQLite connection, and the handle that sends tasks to that thread.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::live_query::{FollowerId, LiveQueries, ResultSet};
use super::sqlite::{Outcome, SqliteConnection, Written};
use super::{Change, Params, ResultBudget, SqlError};

/// How often the thread checks for commits of other processes, while there are live queries. A check takes some
/// microseconds.
const OTHER_WRITERS_INTERVAL: Duration = Duration::from_millis(100);

/// How long a transaction may stay open without a statement. Then it is rolled back.
const TRANSACTION_IDLE: Duration = Duration::from_secs(5);

/// How many tasks may wait for the thread. Further ones fail with `SQLITE_BUSY`.
const MAX_WAITING: usize = 10_000;

/// The handle of a database. Clones share the database, which closes when the last one is dropped.
#[derive(Clone)]
pub struct Database {
    tasks: mpsc::Sender<Task>,
    waiting: Arc<AtomicUsize>,
}

/// An open transaction. Dropped, it is rolled back.
pub struct Transaction {
    database: Database,
    id: u64,
}

/// The subscription to a live query, which ends when it is dropped.
pub struct Follower {
    database: Database,
    id: FollowerId,
}

/// What the thread is asked to do.
struct Task {
    when: When,
    work: Box<Work>,
}

/// Called with an error where the transaction has ended that the task belongs to.
type Work = dyn FnOnce(Result<&mut DatabaseThread, SqlError>) + Send;

/// When a task runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// At once.
    Now,
    /// While no transaction is open.
    NoTransaction,
    /// While the transaction of this number is open.
    Transaction(u64),
}

/// What the thread owns.
struct DatabaseThread {
    connection: SqliteConnection,
    live: LiveQueries,
    open: Option<OpenTransaction>,
    /// How many transactions were begun so far, which is also the number of the last one.
    transactions: u64,
    /// Tasks that wait for the end of the open transaction, in order.
    deferred: VecDeque<Task>,
}

struct OpenTransaction {
    id: u64,
    /// When its last statement ended.
    used: Instant,
}

impl Database {
    /// Opens a file, made if there is none, or a new database in memory.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file cannot be opened or created, or no thread could start.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: Option<&Path>, results: &ResultBudget) -> Result<Database, SqlError> {
        Database::open_with(path, results, |_| Ok(())).map(|(database, ())| database)
    }

    /// Opens a file or a new database in memory, and runs `first` on its thread before every other task.
    pub(super) fn open_with<T: Send + 'static>(
        path: Option<&Path>,
        results: &ResultBudget,
        first: impl FnOnce(&mut SqliteConnection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<(Database, T), SqlError> {
        let (path, results) = (path.map(Path::to_owned), results.clone());
        let (tasks, inbox) = mpsc::channel();
        let (opened, result) = mpsc::channel();
        let work = move || {
            let begun = DatabaseThread::open(path.as_deref(), results).and_then(|mut thread| {
                let done = first(&mut thread.connection)?;
                Ok((thread, done))
            });
            match begun {
                Ok((thread, done)) => {
                    let _ = opened.send(Ok(done));
                    thread.work_through(&inbox, path.is_some());
                }
                Err(error) => drop(opened.send(Err(at(&path, error)))),
            }
        };
        std::thread::Builder::new()
            .name("liveline-database".to_owned())
            .spawn(work)
            .map_err(|error| SqlError::new("SQLITE_CANTOPEN", format!("no thread could start: {error}")))?;
        let done = result.recv().map_err(|_| SqlError::closed())??;
        Ok((Database { tasks, waiting: Arc::default() }, done))
    }

    /// Runs `work` on the thread, with no other task in between. Waits while a transaction is open.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        self.ask(When::NoTransaction, move |thread| work(&mut thread.connection)).await
    }

    /// Runs one statement. Waits while a transaction is open.
    ///
    /// # Errors
    ///
    /// - `SQLITE_BUSY`: 10,000 tasks wait for the database's thread, or another connection has locked the file for 5
    ///   seconds.
    /// - `SQLITE_INTERRUPT`: the statement ran for 5 seconds and was stopped.
    /// - `SQLITE_TOOBIG`: the result, one of its values or a value that is stored takes more bytes than
    ///   [`ResultBudget::most`] (`--max-result`). A statement that writes and returns rows has written nothing then.
    /// - `SQLITE_NOMEM`: all results of the process together would take more bytes than [`ResultBudget::budget`], which
    ///   is eight times `--max-result`.
    /// - `SQLITE_RANGE`: there are more or fewer values than parameters, a name of `params` is not in the statement or
    ///   the other way round, or names were given for a statement with `?`.
    /// - `SQLITE_MISUSE`: `sql` holds no statement, several statements or a NUL character.
    /// - `SQLITE_AUTH`: the statement begins or ends a transaction, sets a savepoint outside of a [`Transaction`], or
    ///   reaches another file (`ATTACH`, `VACUUM INTO`).
    /// - `SQLITE_CONSTRAINT` and codes that begin with it, such as `SQLITE_CONSTRAINT_UNIQUE`: the statement violates a
    ///   constraint.
    /// - `SQLITE_ABORT`: the database's thread has ended.
    /// - Any other code that SQLite reports: `SQLITE_ERROR` for SQL that it cannot compile, `SQLITE_FULL` for a full
    ///   disk, `SQLITE_IOERR`.
    pub async fn run(&self, sql: String, params: Params) -> Result<Outcome, SqlError> {
        self.ask(When::NoTransaction, move |thread| thread.connection.run(&sql, &params)).await
    }

    /// Runs any number of statements, without parameters and results. Waits while a transaction is open.
    ///
    /// # Errors
    ///
    /// The codes of [`Database::run`] except `SQLITE_RANGE`, with the differences below. What the statements before the
    /// failed one have written stays.
    ///
    /// - `SQLITE_INTERRUPT`: all statements together ran for 5 seconds.
    /// - `SQLITE_TOOBIG`: a value is larger than [`ResultBudget::most`]; rows are not kept and count for nothing.
    /// - `SQLITE_MISUSE`: a statement has parameters, or `sql` holds a NUL character.
    pub async fn exec(&self, sql: String) -> Result<(), SqlError> {
        self.ask(When::NoTransaction, move |thread| thread.connection.exec(&sql)).await
    }

    /// Begins a transaction. Waits while another one is open.
    ///
    /// # Errors
    ///
    /// - `SQLITE_BUSY`: 10,000 tasks wait for the database's thread, or another connection has locked the file for 5
    ///   seconds.
    /// - `SQLITE_ABORT`: the database's thread has ended.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub async fn begin(&self) -> Result<Transaction, SqlError> {
        let database = self.clone();
        self.ask(When::NoTransaction, move |thread| {
            thread.connection.begin()?;
            thread.transactions += 1;
            let id = thread.transactions;
            thread.open = Some(OpenTransaction { id, used: Instant::now() });
            Ok(Transaction { database, id })
        })
        .await
    }

    /// Subscribes to a query; also returns its first result. Waits while a transaction is open.
    ///
    /// # Errors
    ///
    /// The codes of [`Database::run`]; also `SQLITE_MISUSE` if the statement writes.
    pub async fn follow(&self, sql: String, params: Params) -> Result<(Follower, Arc<ResultSet>), SqlError> {
        let database = self.clone();
        self.ask(When::NoTransaction, move |thread| {
            let (id, result) = thread.live.follow(&mut thread.connection, sql, params)?;
            Ok((Follower { database, id }, result))
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        when: When,
        work: impl FnOnce(&mut DatabaseThread) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let place = QueueSlot::take(&self.waiting)?;
        let (reply, answer) = oneshot::channel();
        self.send(when, move |thread| {
            drop(place);
            let _ = reply.send(thread.and_then(work));
        });
        answer.await.map_err(|_| SqlError::closed())?
    }

    fn send(&self, when: When, work: impl FnOnce(Result<&mut DatabaseThread, SqlError>) + Send + 'static) {
        // Where the thread has ended the task is dropped, and with it the sender of its reply, so that the caller gets
        // an error.
        let _ = self.tasks.send(Task { when, work: Box::new(work) });
    }
}

impl Transaction {
    /// Runs one statement in the transaction.
    ///
    /// # Errors
    ///
    /// The codes of [`Database::run`], and `SQLITE_ABORT` if the transaction is over: it was committed, it was rolled
    /// back after 5 seconds without a statement, or an earlier error has rolled it back, as SQLite does for
    /// `SQLITE_FULL`, `SQLITE_IOERR` and the `SQLITE_INTERRUPT` of a statement that writes.
    pub async fn run(&self, sql: String, params: Params) -> Result<Outcome, SqlError> {
        let when = When::Transaction(self.id);
        self.database.ask(when, move |thread| thread.connection.run(&sql, &params)).await
    }

    /// Runs any number of statements in the transaction.
    ///
    /// # Errors
    ///
    /// The codes of [`Database::exec`], and `SQLITE_ABORT` as for [`Transaction::run`].
    pub async fn exec(&self, sql: String) -> Result<(), SqlError> {
        self.database.ask(When::Transaction(self.id), move |thread| thread.connection.exec(&sql)).await
    }

    /// Commits the transaction. Where that fails it is rolled back.
    ///
    /// # Errors
    ///
    /// - `SQLITE_ABORT`: the transaction is over, as for [`Transaction::run`], or the database's thread has ended.
    /// - `SQLITE_BUSY`: 10,000 tasks wait for the database's thread.
    /// - `SQLITE_CONSTRAINT_FOREIGNKEY`: a deferred foreign key is violated.
    /// - Any other code that SQLite reports, such as `SQLITE_FULL` or `SQLITE_IOERR`.
    pub async fn commit(&self) -> Result<(), SqlError> {
        self.database
            .ask(When::Transaction(self.id), |thread| {
                thread.open = None;
                thread.connection.commit()
            })
            .await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let id = self.id;
        self.database.send(When::Now, move |thread| {
            if let Ok(thread) = thread
                && thread.open.as_ref().is_some_and(|open| open.id == id)
            {
                thread.open = None;
                thread.connection.rollback();
            }
        });
    }
}

impl Follower {
    /// Waits for the next change. It includes what was committed since the last change, also before this call. Call
    /// this again only when the result is there.
    ///
    /// # Errors
    ///
    /// - The codes of [`Database::run`] for the query, which runs again after a commit: for example `SQLITE_ERROR`
    ///   because its table was dropped, or `SQLITE_TOOBIG` because its result has grown. The next call runs the query
    ///   once more.
    /// - `SQLITE_ABORT`: the follower was dropped, this was called again before the result was there, or the database's
    ///   thread has ended.
    pub fn next(&self) -> impl Future<Output = Result<Arc<Change>, SqlError>> + use<> {
        let (waiting, change) = oneshot::channel();
        let id = self.id;
        self.database.send(When::Now, move |thread| {
            if let Ok(thread) = thread {
                thread.live.wait(id, waiting);
            }
        });
        async move { change.await.map_err(|_| SqlError::closed())? }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let id = self.id;
        self.database.send(When::Now, move |thread| {
            if let Ok(thread) = thread {
                thread.live.unfollow(id);
            }
        });
    }
}

impl DatabaseThread {
    /// Opens the file, or a new database in memory.
    fn open(path: Option<&Path>, results: ResultBudget) -> Result<DatabaseThread, SqlError> {
        let connection = SqliteConnection::open(path, results)?;
        Ok(DatabaseThread {
            connection,
            live: LiveQueries::default(),
            open: None,
            transactions: 0,
            deferred: VecDeque::new(),
        })
    }

    /// Runs tasks until every handle of the database is dropped.
    fn work_through(mut self, inbox: &mpsc::Receiver<Task>, is_shared: bool) {
        let mut look = None;
        loop {
            let idle_until = self.open.as_ref().map(|open| open.used + TRANSACTION_IDLE);
            // Only files have other writers, and only live queries depend on them.
            look = match look {
                _ if !is_shared || self.live.len() == 0 || self.open.is_some() => None,
                None => Some(Instant::now()),
                some => some,
            };
            let task = match [idle_until, look].into_iter().flatten().min() {
                Some(time) => inbox.recv_timeout(time.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match task {
                Ok(task) => self.run(task),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if self.open.as_ref().is_some_and(|open| now >= open.used + TRANSACTION_IDLE) {
                tracing::warn!("a transaction was idle for {TRANSACTION_IDLE:?} and was rolled back");
                self.open = None;
                self.connection.rollback();
            }
            self.run_deferred();
            if look.is_some_and(|look| now >= look) {
                look = Some(now + OTHER_WRITERS_INTERVAL);
                self.check_other_writers();
            }
            self.refresh();
        }
    }

    fn run(&mut self, task: Task) {
        match (task.when, &mut self.open) {
            (When::NoTransaction, Some(_)) => self.deferred.push_back(task),
            (When::Transaction(id), Some(open)) if open.id == id => {
                if self.connection.is_in_transaction() {
                    (task.work)(Ok(self));
                } else {
                    (task.work)(Err(over("an error in it rolled it back")));
                }
                if let Some(open) = &mut self.open {
                    open.used = Instant::now();
                }
            }
            (When::Transaction(_), _) => (task.work)(Err(over(
                "it was idle for too long and was rolled back; inside transaction(), use its argument",
            ))),
            (When::NoTransaction | When::Now, _) => (task.work)(Ok(self)),
        }
    }

    fn run_deferred(&mut self) {
        while self.open.is_none()
            && let Some(task) = self.deferred.pop_front()
        {
            self.run(task);
        }
    }

    /// Marks every live query as stale if another process has committed: SQLite does not report which tables it wrote.
    fn check_other_writers(&mut self) {
        match self.connection.has_other_writes() {
            Ok(false) => {}
            Ok(true) => self.live.invalidate(&Written::Everything),
            Err(error) => tracing::warn!("commits of other processes may be missed: {error}"),
        }
    }

    /// After a commit: marks the live queries that it affects, and runs those that a follower waits for.
    fn refresh(&mut self) {
        if self.connection.is_in_transaction() {
            return;
        }
        if let Some(written) = self.connection.take_written() {
            self.live.invalidate(&written);
        }
        self.live.refresh(&mut self.connection);
    }
}

/// The place of a waiting task in the queue, which is free again when this is dropped.
pub(crate) struct QueueSlot(Arc<AtomicUsize>);

impl QueueSlot {
    pub(crate) fn take(waiting: &Arc<AtomicUsize>) -> Result<QueueSlot, SqlError> {
        let place = QueueSlot(waiting.clone());
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            let message = format!("more than {MAX_WAITING} statements wait for the database");
            return Err(SqlError::new("SQLITE_BUSY", message));
        }
        Ok(place)
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn over(why: &str) -> SqlError {
    SqlError::new("SQLITE_ABORT", format!("the transaction is over: {why}"))
}

fn at(path: &Option<PathBuf>, mut error: SqlError) -> SqlError {
    if let Some(path) = path {
        error.message = format!("{}: {}", path.display(), error.message);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    async fn database() -> Database {
        let database = Database::open(None, &ResultBudget::default()).expect("a database in memory");
        database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".to_owned()).await.expect("a table");
        database
    }

    async fn live(database: &Database) -> usize {
        database.ask(When::Now, |thread| Ok(thread.live.len())).await.expect("a number")
    }

    #[tokio::test]
    async fn followers_leave_nothing_behind() {
        let database = database().await;
        let all = || database.follow("SELECT * FROM t".to_owned(), Params::default());
        let (first, _) = all().await.expect("a live query");
        let (second, _) = all().await.expect("a live query");
        let waiting = tokio::spawn(first.next());

        assert_eq!(live(&database).await, 2);
        drop((first, second));
        assert_eq!(live(&database).await, 0);
        assert_eq!(waiting.await.expect("no panic").expect_err("nothing follows").code, "SQLITE_ABORT");
    }

    #[tokio::test]
    async fn a_follower_that_was_not_received_leaves_nothing_behind() {
        let database = database().await;
        let (reply, answer) = oneshot::channel();
        drop(answer);
        let mine = database.clone();
        database.send(When::NoTransaction, move |thread| {
            let thread = thread.expect("no transaction is open");
            let followed =
                thread.live.follow(&mut thread.connection, "SELECT 1".to_owned(), Params::default());
            let (id, _) = followed.expect("a live query");
            let _ = reply.send(Follower { database: mine, id });
        });

        // The thread sends the task that ends the subscription to itself, behind the first count.
        live(&database).await;
        assert_eq!(live(&database).await, 0);
    }

    #[tokio::test]
    async fn a_statement_whose_commit_fails_leaves_no_transaction_open() {
        let database = database().await;
        let run = async |sql: &str| database.run(sql.to_owned(), Params::default()).await;
        run("PRAGMA foreign_keys = ON").await.expect("a setting");
        run("CREATE TABLE u (t REFERENCES t DEFERRABLE INITIALLY DEFERRED)").await.expect("a table");

        let failed = run("INSERT INTO u VALUES (7) RETURNING t").await.expect_err("there is no such row");

        assert_eq!(failed.code, "SQLITE_CONSTRAINT_FOREIGNKEY");
        let transaction = database.begin().await.expect("no transaction is open");
        drop(transaction);
    }

    #[tokio::test]
    async fn a_commit_is_one_change() {
        let database = database().await;
        let query = "SELECT n FROM t ORDER BY n".to_owned();
        let (follower, _) = database.follow(query, Params::default()).await.expect("a live query");
        let change = tokio::spawn(follower.next());
        let transaction = database.begin().await.expect("a transaction");
        for n in [3, 1, 2] {
            let values = Params::Positional(vec![Value::Integer(n)]);
            transaction.run("INSERT INTO t (n) VALUES (?)".to_owned(), values).await.expect("an insert");
        }

        transaction.commit().await.expect("a commit");

        let change = change.await.expect("no panic").expect("a change");
        let rows: Vec<_> = change.to.rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!(rows, [Value::Integer(1), Value::Integer(2), Value::Integer(3)]);
    }

    #[tokio::test]
    async fn a_dropped_transaction_is_rolled_back() {
        let database = database().await;
        let transaction = database.begin().await.expect("a transaction");
        transaction.exec("INSERT INTO t (n) VALUES (1)".to_owned()).await.expect("an insert");

        drop(transaction);

        let left = database.run("SELECT * FROM t".to_owned(), Params::default()).await.expect("rows");
        assert_eq!(left.result.rows.len(), 0);
    }

    #[tokio::test]
    async fn a_change_elsewhere_in_the_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.sqlite");
        let (one, other) = (
            Database::open(Some(&path), &ResultBudget::default()).expect("a file"),
            Database::open(Some(&path), &ResultBudget::default()),
        );
        one.exec("CREATE TABLE t (n)".to_owned()).await.expect("a table");
        let (follower, before) =
            one.follow("SELECT n FROM t".to_owned(), Params::default()).await.expect("a live query");

        other.expect("a file").exec("INSERT INTO t VALUES (7)".to_owned()).await.expect("an insert");

        assert_eq!(before.rows.len(), 0);
        let change = follower.next().await.expect("a change");
        assert_eq!(*change.to.rows[0], [Value::Integer(7)]);
    }
}
