//! One database: a thread that alone touches SQLite, and the way to it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::{Connection, Outcome, Touched};
use super::live::{FollowerId, LiveQueries, ResultSet};
use super::{Change, Params, Results, SqlError};

/// How often to look whether another process has written, while there are live queries. One look takes some
/// microseconds.
const LOOK_ELSEWHERE: Duration = Duration::from_millis(100);

/// How long a transaction may stand open with nothing done in it.
const TRANSACTION_IDLE: Duration = Duration::from_secs(5);

/// How many statements may wait for the thread.
const MAX_WAITING: usize = 10_000;

/// A database. Clones share it; it closes with the last.
#[derive(Clone)]
pub struct Database {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

/// An open transaction. Dropped, it is rolled back.
pub struct Transaction {
    database: Database,
    id: u64,
}

/// A live query, as its reader holds it. Dropped, it is over.
pub struct Follower {
    database: Database,
    id: FollowerId,
}

struct Job {
    gate: Gate,
    work: Box<Work>,
}

/// Gets the error instead, where the transaction is over that the job was for.
type Work = dyn FnOnce(Result<&mut Keeper, SqlError>) + Send;

/// When a job may run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Always,
    /// While no transaction is open.
    Outside,
    /// While this transaction is open.
    Inside(u64),
}

/// What the thread owns.
struct Keeper {
    connection: Connection,
    live: LiveQueries,
    open: Option<Open>,
    transactions: u64,
    /// Jobs that wait for the open transaction to end.
    parked: VecDeque<Job>,
}

struct Open {
    id: u64,
    used: Instant,
}

impl Database {
    /// Opens a file, made if there is none, or a new database in memory.
    pub fn open(path: Option<&Path>, results: &Results) -> Result<Database, SqlError> {
        Database::open_with(path, results, |_| Ok(())).map(|(database, ())| database)
    }

    /// Opens a file or a new database in memory, and does something with it before anybody else can.
    pub(super) fn open_with<T: Send + 'static>(
        path: Option<&Path>,
        results: &Results,
        first: impl FnOnce(&mut Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<(Database, T), SqlError> {
        let (path, results) = (path.map(Path::to_owned), results.clone());
        let (jobs, inbox) = mpsc::channel();
        let (opened, result) = mpsc::channel();
        let work = move || {
            let begun = Keeper::open(path.as_deref(), results).and_then(|mut keeper| {
                let done = first(&mut keeper.connection)?;
                Ok((keeper, done))
            });
            match begun {
                Ok((keeper, done)) => {
                    let _ = opened.send(Ok(done));
                    keeper.work_through(&inbox, path.is_some());
                }
                Err(error) => drop(opened.send(Err(at(&path, error)))),
            }
        };
        std::thread::Builder::new()
            .name("liveline-database".to_owned())
            .spawn(work)
            .map_err(|error| SqlError::new("SQLITE_CANTOPEN", format!("no thread could start: {error}")))?;
        let done = result.recv().map_err(|_| SqlError::closed())??;
        Ok((Database { jobs, waiting: Arc::default() }, done))
    }

    /// Does several things as one, with nobody else's between them. Waits while a transaction is open.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        self.ask(Gate::Outside, move |keeper| work(&mut keeper.connection)).await
    }

    /// Runs one statement. Waits while a transaction is open.
    pub async fn run(&self, sql: String, params: Params) -> Result<Outcome, SqlError> {
        self.ask(Gate::Outside, move |keeper| keeper.connection.run(&sql, &params)).await
    }

    /// Runs any number of statements, without parameters and results. Waits while a transaction is open.
    pub async fn exec(&self, sql: String) -> Result<(), SqlError> {
        self.ask(Gate::Outside, move |keeper| keeper.connection.exec(&sql)).await
    }

    /// Begins a transaction. Waits while another one is open.
    pub async fn begin(&self) -> Result<Transaction, SqlError> {
        let database = self.clone();
        self.ask(Gate::Outside, move |keeper| {
            keeper.connection.begin()?;
            keeper.transactions += 1;
            let id = keeper.transactions;
            keeper.open = Some(Open { id, used: Instant::now() });
            Ok(Transaction { database, id })
        })
        .await
    }

    /// Follows a query. Waits while a transaction is open.
    pub async fn follow(&self, sql: String, params: Params) -> Result<(Follower, Arc<ResultSet>), SqlError> {
        let database = self.clone();
        self.ask(Gate::Outside, move |keeper| {
            let (id, result) = keeper.live.follow(&mut keeper.connection, sql, params)?;
            Ok((Follower { database, id }, result))
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        gate: Gate,
        work: impl FnOnce(&mut Keeper) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let place = Place::take(&self.waiting)?;
        let (reply, answer) = oneshot::channel();
        self.send(gate, move |keeper| {
            drop(place);
            let _ = reply.send(keeper.and_then(work));
        });
        answer.await.map_err(|_| SqlError::closed())?
    }

    fn send(&self, gate: Gate, work: impl FnOnce(Result<&mut Keeper, SqlError>) + Send + 'static) {
        // Without a thread the job is dropped, and with it the reply that somebody waits for.
        let _ = self.jobs.send(Job { gate, work: Box::new(work) });
    }
}

impl Transaction {
    /// Runs one statement in the transaction.
    pub async fn run(&self, sql: String, params: Params) -> Result<Outcome, SqlError> {
        let gate = Gate::Inside(self.id);
        self.database.ask(gate, move |keeper| keeper.connection.run(&sql, &params)).await
    }

    /// Runs any number of statements in the transaction.
    pub async fn exec(&self, sql: String) -> Result<(), SqlError> {
        self.database.ask(Gate::Inside(self.id), move |keeper| keeper.connection.exec(&sql)).await
    }

    pub async fn commit(&self) -> Result<(), SqlError> {
        self.database
            .ask(Gate::Inside(self.id), |keeper| {
                keeper.open = None;
                keeper.connection.commit()
            })
            .await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let id = self.id;
        self.database.send(Gate::Always, move |keeper| {
            if let Ok(keeper) = keeper
                && keeper.open.as_ref().is_some_and(|open| open.id == id)
            {
                keeper.open = None;
                keeper.connection.rollback();
            }
        });
    }
}

impl Follower {
    /// The next change. One at a time; what is committed meanwhile is in the one after.
    pub fn next(&self) -> impl Future<Output = Result<Arc<Change>, SqlError>> + use<> {
        let (waiting, change) = oneshot::channel();
        let id = self.id;
        self.database.send(Gate::Always, move |keeper| {
            if let Ok(keeper) = keeper {
                keeper.live.wait(id, waiting);
            }
        });
        async move { change.await.map_err(|_| SqlError::closed())? }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let id = self.id;
        self.database.send(Gate::Always, move |keeper| {
            if let Ok(keeper) = keeper {
                keeper.live.unfollow(id);
            }
        });
    }
}

impl Keeper {
    fn open(path: Option<&Path>, results: Results) -> Result<Keeper, SqlError> {
        let connection = Connection::open(path, results)?;
        Ok(Keeper {
            connection,
            live: LiveQueries::default(),
            open: None,
            transactions: 0,
            parked: VecDeque::new(),
        })
    }

    /// Runs jobs until nobody can send any more.
    fn work_through(mut self, inbox: &mpsc::Receiver<Job>, is_shared: bool) {
        let mut look = None;
        loop {
            let idle_until = self.open.as_ref().map(|open| open.used + TRANSACTION_IDLE);
            // Only files can be written by others, and only while somebody follows does it matter.
            look = match look {
                _ if !is_shared || self.live.len() == 0 || self.open.is_some() => None,
                None => Some(Instant::now()),
                some => some,
            };
            let job = match [idle_until, look].into_iter().flatten().min() {
                Some(time) => inbox.recv_timeout(time.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(job) => self.run(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if self.open.as_ref().is_some_and(|open| now >= open.used + TRANSACTION_IDLE) {
                tracing::warn!("a transaction was idle for {TRANSACTION_IDLE:?} and was rolled back");
                self.open = None;
                self.connection.rollback();
            }
            self.run_parked();
            if look.is_some_and(|look| now >= look) {
                look = Some(now + LOOK_ELSEWHERE);
                self.look_elsewhere();
            }
            self.refresh();
        }
    }

    fn run(&mut self, job: Job) {
        match (job.gate, &mut self.open) {
            (Gate::Outside, Some(_)) => self.parked.push_back(job),
            (Gate::Inside(id), Some(open)) if open.id == id => {
                if self.connection.is_in_transaction() {
                    (job.work)(Ok(self));
                } else {
                    (job.work)(Err(over("an error in it rolled it back")));
                }
                if let Some(open) = &mut self.open {
                    open.used = Instant::now();
                }
            }
            (Gate::Inside(_), _) => (job.work)(Err(over(
                "it was idle for too long and was rolled back; inside transaction(), use its argument",
            ))),
            (Gate::Outside | Gate::Always, _) => (job.work)(Ok(self)),
        }
    }

    fn run_parked(&mut self) {
        while self.open.is_none()
            && let Some(job) = self.parked.pop_front()
        {
            self.run(job);
        }
    }

    /// Whether another process has written. What, nobody tells; so everything is run again.
    fn look_elsewhere(&mut self) {
        match self.connection.is_changed_elsewhere() {
            Ok(false) => {}
            Ok(true) => self.live.touched(&Touched::Everything),
            Err(error) => tracing::warn!("another process's writes may go unseen: {error}"),
        }
    }

    fn refresh(&mut self) {
        if self.connection.is_in_transaction() {
            return;
        }
        if let Some(touched) = self.connection.take_touched() {
            self.live.touched(&touched);
        }
        self.live.refresh(&mut self.connection);
    }
}

/// A job's place among those that wait.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Place, SqlError> {
        let place = Place(waiting.clone());
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            let message = format!("more than {MAX_WAITING} statements wait for the database");
            return Err(SqlError::new("SQLITE_BUSY", message));
        }
        Ok(place)
    }
}

impl Drop for Place {
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
        let database = Database::open(None, &Results::default()).expect("a database in memory");
        database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, n)".to_owned()).await.expect("a table");
        database
    }

    async fn live(database: &Database) -> usize {
        database.ask(Gate::Always, |keeper| Ok(keeper.live.len())).await.expect("a number")
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
    async fn a_follower_that_nobody_took_leaves_nothing_behind() {
        let database = database().await;
        let (reply, answer) = oneshot::channel();
        drop(answer);
        let mine = database.clone();
        database.send(Gate::Outside, move |keeper| {
            let keeper = keeper.expect("no transaction is open");
            let followed =
                keeper.live.follow(&mut keeper.connection, "SELECT 1".to_owned(), Params::default());
            let (id, _) = followed.expect("a live query");
            let _ = reply.send(Follower { database: mine, id });
        });

        // The thread sends the word to itself, behind the first look.
        live(&database).await;
        assert_eq!(live(&database).await, 0);
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
            Database::open(Some(&path), &Results::default()).expect("a file"),
            Database::open(Some(&path), &Results::default()),
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
