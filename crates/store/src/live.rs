//! Queries whose results follow the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::connection::{Access, Connection, Touched};
use super::difference::{Change, difference};
use super::results::Held;
use super::{Params, Row, SqlError};

/// What a query found.
#[derive(Debug)]
pub struct ResultSet {
    pub columns: Vec<String>,
    /// The columns that are a table's primary key: what makes a row the same row. Known of live queries only.
    pub key: Vec<usize>,
    pub rows: Vec<Row>,
    /// Its part of what all results take.
    pub held: Held,
}

/// A follower's name within its database.
pub(crate) type FollowerId = u64;

/// Where a follower waits for its next change.
pub(crate) type Waiting = oneshot::Sender<Result<Arc<Change>, SqlError>>;

/// All live queries of one database. Those who ask the same share one.
#[derive(Default)]
pub(crate) struct LiveQueries {
    queries: HashMap<Arc<Question>, Live>,
    followers: HashMap<FollowerId, Arc<Question>>,
    next: FollowerId,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    sql: String,
    params: Params,
}

struct Live {
    access: Arc<Access>,
    result: Arc<ResultSet>,
    /// What led to the result, and from where.
    last: Option<(Arc<ResultSet>, Arc<Change>)>,
    /// Something was committed that the result may depend on.
    is_stale: bool,
    followers: BTreeMap<FollowerId, Following>,
}

struct Following {
    /// The result that the follower has.
    seen: Arc<ResultSet>,
    waiting: Option<Waiting>,
}

impl LiveQueries {
    /// How many followers there are.
    pub(crate) fn len(&self) -> usize {
        self.followers.len()
    }

    /// Begins to follow a query; says what it finds now.
    pub(crate) fn follow(
        &mut self,
        connection: &mut Connection,
        sql: String,
        params: Params,
    ) -> Result<(FollowerId, Arc<ResultSet>), SqlError> {
        let question = Arc::new(Question { sql, params });
        if let Some(live) = self.queries.get_mut(&question) {
            live.refresh(connection, &question)?;
        } else {
            let (result, access) = connection.select(&question.sql, &question.params)?;
            let result = Arc::new(result);
            let live = Live { access, result, last: None, is_stale: false, followers: BTreeMap::new() };
            self.queries.insert(question.clone(), live);
        }
        let live = self.queries.get_mut(&question).expect("it is there or was put there");
        self.next += 1;
        live.followers.insert(self.next, Following { seen: live.result.clone(), waiting: None });
        self.followers.insert(self.next, question);
        Ok((self.next, live.result.clone()))
    }

    /// The follower is ready for the next change. It comes from the next [`LiveQueries::refresh`].
    pub(crate) fn wait(&mut self, follower: FollowerId, waiting: Waiting) {
        let live = self.followers.get(&follower).and_then(|question| self.queries.get_mut(question));
        if let Some(following) = live.and_then(|live| live.followers.get_mut(&follower)) {
            following.waiting = Some(waiting);
        }
    }

    pub(crate) fn unfollow(&mut self, follower: FollowerId) {
        let Some(question) = self.followers.remove(&follower) else { return };
        let Some(live) = self.queries.get_mut(&question) else { return };
        live.followers.remove(&follower);
        if live.followers.is_empty() {
            self.queries.remove(&question);
        }
    }

    /// Something was committed.
    pub(crate) fn touched(&mut self, touched: &Touched) {
        for live in self.queries.values_mut() {
            live.is_stale |= match touched {
                Touched::Everything => true,
                Touched::Tables(tables) => tables.iter().any(|table| live.access.reads.contains(table)),
            };
        }
    }

    /// Runs what is stale and has somebody waiting, and tells those of what changed.
    pub(crate) fn refresh(&mut self, connection: &mut Connection) {
        for (question, live) in &mut self.queries {
            if !live.followers.values().any(|following| following.waiting.is_some()) {
                continue;
            }
            match live.refresh(connection, question) {
                Ok(()) => live.tell(),
                Err(error) => live.fail(&error),
            }
        }
    }
}

impl Live {
    fn refresh(&mut self, connection: &mut Connection, question: &Question) -> Result<(), SqlError> {
        if self.is_stale {
            // The tables it reads may be others when a view or the schema changed.
            let (result, access) = connection.select(&question.sql, &question.params)?;
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

    fn tell(&mut self) {
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
                // Who left will say so.
                let _ = waiting.send(Ok(change));
            }
        }
    }

    /// The query does not run any more: its table is gone. It is tried again after the next commit.
    fn fail(&mut self, error: &SqlError) {
        for waiting in self.followers.values_mut().filter_map(|following| following.waiting.take()) {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}
