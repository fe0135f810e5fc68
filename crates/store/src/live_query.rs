//! Live queries: their results change when the tables do that they read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::difference::{Change, difference};
use super::results::HeldResult;
use super::sqlite::{Access, SqliteConnection, Written};
use super::{Params, Row, SqlError};

/// The result of a query.
#[derive(Debug)]
pub struct ResultSet {
    /// The names of the columns, each once.
    pub columns: Vec<String>,
    /// The indices of the columns that are a table's primary key, which tells whether two rows are the same. Known of
    /// live queries only.
    pub key: Vec<usize>,
    /// The rows, each with one value per column.
    pub rows: Vec<Row>,
    /// The bytes that the result takes.
    pub held: HeldResult,
}

/// The number of a follower, unique in its database.
pub(crate) type FollowerId = u64;

/// Where the next change of a follower is sent to.
pub(crate) type Waiting = oneshot::Sender<Result<Arc<Change>, SqlError>>;

/// All live queries of one database. Followers of the same statement with the same parameters share one.
#[derive(Default)]
pub(crate) struct LiveQueries {
    queries: HashMap<Arc<Query>, LiveQuery>,
    followers: HashMap<FollowerId, Arc<Query>>,
    next: FollowerId,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Query {
    sql: String,
    params: Params,
}

struct LiveQuery {
    access: Arc<Access>,
    result: Arc<ResultSet>,
    /// The result before and the change from it, until the followers have been sent that change.
    last: Option<(Arc<ResultSet>, Arc<Change>)>,
    /// A commit wrote a table that the query reads.
    is_stale: bool,
    followers: BTreeMap<FollowerId, FollowerState>,
}

struct FollowerState {
    /// The last result that the follower was sent.
    seen: Arc<ResultSet>,
    waiting: Option<Waiting>,
}

impl LiveQueries {
    /// How many followers there are.
    pub(crate) fn len(&self) -> usize {
        self.followers.len()
    }

    /// Subscribes a new follower to a query, and returns its present result.
    pub(crate) fn follow(
        &mut self,
        connection: &mut SqliteConnection,
        sql: String,
        params: Params,
    ) -> Result<(FollowerId, Arc<ResultSet>), SqlError> {
        let query = Arc::new(Query { sql, params });
        if let Some(live) = self.queries.get_mut(&query) {
            live.refresh(connection, &query)?;
        } else {
            let (result, access) = connection.select(&query.sql, &query.params)?;
            let result = Arc::new(result);
            let live = LiveQuery { access, result, last: None, is_stale: false, followers: BTreeMap::new() };
            self.queries.insert(query.clone(), live);
        }
        let live = self.queries.get_mut(&query).expect("it is there or was put there");
        self.next += 1;
        live.followers.insert(self.next, FollowerState { seen: live.result.clone(), waiting: None });
        self.followers.insert(self.next, query);
        Ok((self.next, live.result.clone()))
    }

    /// Notes where the follower's next change is sent to, which a later [`LiveQueries::refresh`] does.
    pub(crate) fn wait(&mut self, follower: FollowerId, waiting: Waiting) {
        let live = self.followers.get(&follower).and_then(|query| self.queries.get_mut(query));
        if let Some(following) = live.and_then(|live| live.followers.get_mut(&follower)) {
            following.waiting = Some(waiting);
        }
    }

    /// Ends a subscription, and the live query with its last follower.
    pub(crate) fn unfollow(&mut self, follower: FollowerId) {
        let Some(query) = self.followers.remove(&follower) else { return };
        let Some(live) = self.queries.get_mut(&query) else { return };
        live.followers.remove(&follower);
        if live.followers.is_empty() {
            self.queries.remove(&query);
        }
    }

    /// Marks the queries that read what a commit has written as stale.
    pub(crate) fn invalidate(&mut self, written: &Written) {
        for live in self.queries.values_mut() {
            live.is_stale |= match written {
                Written::Everything => true,
                Written::Tables(tables) => tables.iter().any(|table| live.access.reads.contains(table)),
            };
        }
    }

    /// Runs the stale queries that a follower waits for, and sends the changes.
    pub(crate) fn refresh(&mut self, connection: &mut SqliteConnection) {
        for (query, live) in &mut self.queries {
            if !live.followers.values().any(|following| following.waiting.is_some()) {
                continue;
            }
            match live.refresh(connection, query) {
                Ok(()) => live.send_changes(),
                Err(error) => live.fail(&error),
            }
        }
    }
}

impl LiveQuery {
    fn refresh(&mut self, connection: &mut SqliteConnection, query: &Query) -> Result<(), SqlError> {
        if self.is_stale {
            // The tables it reads may be others when a view or the schema changed.
            let (result, access) = connection.select(&query.sql, &query.params)?;
            self.access = access;
            self.is_stale = false;
            let result = Arc::new(result);
            if let Some(change) = difference(&self.result, &result) {
                let before = std::mem::replace(&mut self.result, result);
                self.last = Some((before, Arc::new(change)));
            } else if self.result.columns != result.columns {
                self.result = result;
            }
        }
        Ok(())
    }

    /// Sends each waiting follower the change from its last result to the present one.
    fn send_changes(&mut self) {
        // Most followers have the same result, so that one change serves them all.
        let mut known: Vec<(Arc<ResultSet>, Option<Arc<Change>>)> = Vec::new();
        known.extend(self.last.take().map(|(from, change)| (from, Some(change))));
        for following in self.followers.values_mut() {
            if following.waiting.is_none() || Arc::ptr_eq(&following.seen, &self.result) {
                continue;
            }
            let seen = std::mem::replace(&mut following.seen, self.result.clone());
            let found = known.iter().find(|(from, _)| Arc::ptr_eq(from, &seen));
            let change = match found {
                Some((_, change)) => change.clone(),
                None => {
                    let change = difference(&seen, &self.result).map(Arc::new);
                    known.push((seen, change.clone()));
                    change
                }
            };
            if let Some(change) = change
                && let Some(waiting) = following.waiting.take()
            {
                // A follower that is dropped ends its subscription by itself.
                let _ = waiting.send(Ok(change));
            }
        }
    }

    /// The query cannot run, for example because its table was dropped: sends the error to the waiting followers. The
    /// query stays stale, so that it runs again when the next follower waits.
    fn fail(&mut self, error: &SqlError) {
        for waiting in self.followers.values_mut().filter_map(|following| following.waiting.take()) {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}
