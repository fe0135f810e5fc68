//! Databases. Half of `runtime-js/sql.js`.

mod values;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, Resource, ResourceId, op2};
use deno_error::JsError;

pub(in crate::ext) use self::values::value as to_v8;
use self::values::{FirstResult, Found, Given, NextChange};
use super::Memory;
use liveline_store::{Database, Databases, Follower, Outcome, SqlError, Transaction};

/// A [`SqlError`], as ops throw it.
#[derive(Debug, thiserror::Error, JsError)]
#[class("SqlError")]
#[property("code" = self.0.code)]
#[property("sql" = self.0.sql.clone().unwrap_or_default())]
#[property("offset" = self.offset())]
#[error("{0}")]
pub(super) struct SqlFailure(#[from] SqlError);

impl SqlFailure {
    /// In UTF-16 units, as JavaScript counts; -1 if SQLite reports no position.
    fn offset(&self) -> f64 {
        let before = self.0.offset.zip(self.0.sql.as_deref()).and_then(|(at, sql)| sql.get(..at));
        before.map_or(-1.0, |before| before.encode_utf16().count() as f64)
    }
}

/// The target of statements.
enum Source {
    Database(Arc<Database>),
    Transaction(Transaction),
}

impl Resource for Source {
    fn name(&self) -> Cow<'_, str> {
        "database".into()
    }
}

struct Followed(Follower);

impl Resource for Followed {
    fn name(&self) -> Cow<'_, str> {
        "liveQuery".into()
    }
}

fn resource<R: Resource>(state: &Rc<RefCell<OpState>>, id: ResourceId) -> Result<Rc<R>, SqlFailure> {
    let found = state.borrow().resource_table.get::<R>(id);
    Ok(found.map_err(|_| SqlError::new("SQLITE_MISUSE", "the database or the transaction was closed"))?)
}

fn database(state: &Rc<RefCell<OpState>>, id: ResourceId) -> Result<Arc<Database>, SqlFailure> {
    match &*resource::<Source>(state, id)? {
        Source::Database(database) => Ok(database.clone()),
        Source::Transaction(_) => Err(SqlError::new("SQLITE_MISUSE", "a transaction cannot do this"))?,
    }
}

/// Opens the database of a file in the project, or the default one.
#[op2]
#[smi]
pub(crate) async fn op_sql_open(
    state: Rc<RefCell<OpState>>,
    #[string] path: Option<String>,
) -> Result<ResourceId, SqlFailure> {
    let databases = state.borrow().borrow::<Databases>().clone();
    // Opening the file may be slow.
    let opened = tokio::task::spawn_blocking(move || match path {
        Some(path) => databases.open(&path),
        None => databases.default().map(Arc::new),
    });
    let database = opened.await.map_err(|_| SqlError::new("SQLITE_ABORT", "the server is stopping"))??;
    Ok(state.borrow_mut().resource_table.add(Source::Database(database)))
}

/// Closes the resource of a number: a database; a transaction, which is rolled back; or a live query.
#[op2(fast)]
pub(crate) fn op_sql_close(state: &mut OpState, #[smi] id: ResourceId) {
    // Closing twice is not an error.
    let _ = state.resource_table.take_any(id);
}

/// Runs one statement.
#[op2]
pub(crate) async fn op_sql_query(
    state: Rc<RefCell<OpState>>,
    #[smi] source: ResourceId,
    #[string] sql: String,
    #[scoped] Given(params): Given,
) -> Result<Found<Outcome>, SqlFailure> {
    let outcome = match &*resource::<Source>(&state, source)? {
        Source::Database(database) => database.run(sql, params).await,
        Source::Transaction(transaction) => transaction.run(sql, params).await,
    };
    Ok(Found { what: outcome?, memory: state.borrow().borrow::<Memory>().clone() })
}

/// Runs any number of statements.
#[op2]
pub(crate) async fn op_sql_exec(
    state: Rc<RefCell<OpState>>,
    #[smi] source: ResourceId,
    #[string] sql: String,
) -> Result<(), SqlFailure> {
    match &*resource::<Source>(&state, source)? {
        Source::Database(database) => database.exec(sql).await?,
        Source::Transaction(transaction) => transaction.exec(sql).await?,
    }
    Ok(())
}

/// Begins a transaction. It is rolled back if its number is closed before the commit.
#[op2]
#[smi]
pub(crate) async fn op_sql_begin(
    state: Rc<RefCell<OpState>>,
    #[smi] source: ResourceId,
) -> Result<ResourceId, SqlFailure> {
    let transaction = database(&state, source)?.begin().await?;
    Ok(state.borrow_mut().resource_table.add(Source::Transaction(transaction)))
}

#[op2]
pub(crate) async fn op_sql_commit(
    state: Rc<RefCell<OpState>>,
    #[smi] source: ResourceId,
) -> Result<(), SqlFailure> {
    if let Source::Transaction(transaction) = &*resource::<Source>(&state, source)? {
        transaction.commit().await?;
    }
    Ok(())
}

/// Starts a live query. Returns its first result, and a number for `op_sql_next`.
#[op2]
pub(crate) async fn op_sql_follow(
    state: Rc<RefCell<OpState>>,
    #[smi] source: ResourceId,
    #[string] sql: String,
    #[scoped] Given(params): Given,
) -> Result<Found<FirstResult>, SqlFailure> {
    let (follower, result) = database(&state, source)?.follow(sql, params).await?;
    let mut state = state.borrow_mut();
    let id = state.resource_table.add(Followed(follower));
    Ok(Found { what: FirstResult { id, result }, memory: state.borrow::<Memory>().clone() })
}

/// The next change of a live query.
#[op2]
pub(crate) async fn op_sql_next(
    state: Rc<RefCell<OpState>>,
    #[smi] follower: ResourceId,
) -> Result<NextChange, SqlFailure> {
    // Does not keep the follower, so that closing it ends the wait.
    let next = resource::<Followed>(&state, follower)?.0.next();
    Ok(NextChange(next.await?))
}
