//! The ops of D1, KV and queues.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use deno_core::{JsBuffer, OpState, ToJsBuffer, op2};
use deno_error::JsError;
use liveline_store::actor::StorageError;
use liveline_store::bindings::{Consumer, D1Result, D1Statement, KvPut, NewMessage, Retry, Taken};
use liveline_store::{SqlError, Value};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::stores::Stores;
use super::triggers;
use crate::clock::unix_time;
use crate::ext::Exchanges;

/// Why an op on a store failed.
#[derive(Debug, thiserror::Error, JsError)]
pub(crate) enum StoreError {
    #[class("SqlError")]
    #[property("code" = self.code())]
    #[property("offset" = self.offset())]
    #[error("{}", .0.message)]
    Sql(SqlError),
    #[class(generic)]
    #[error("{0}")]
    Limit(String),
    #[class(type)]
    #[error("{0}")]
    Misuse(String),
    #[class(generic)]
    #[error("stores are not available while the code is only checked")]
    Absent,
}

impl StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Sql(error) => error.code,
            _ => "",
        }
    }

    /// In UTF-16 units, as JavaScript counts; -1 if SQLite reports no position.
    fn offset(&self) -> f64 {
        let StoreError::Sql(SqlError { sql: Some(sql), offset: Some(at), .. }) = self else { return -1.0 };
        sql.get(..*at).map_or(-1.0, |before| before.encode_utf16().count() as f64)
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        StoreError::Sql(error)
    }
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Statement(error) => StoreError::Sql(error),
            StorageError::Misuse(message) => StoreError::Misuse(message),
            other => StoreError::Limit(other.to_string()),
        }
    }
}

fn stores(state: &Rc<RefCell<OpState>>) -> Result<Stores, StoreError> {
    state.borrow().borrow::<Exchanges>().host.stores.clone().ok_or(StoreError::Absent)
}

fn seconds() -> i64 {
    unix_time().as_secs().cast_signed()
}

fn milliseconds() -> i64 {
    i64::try_from(unix_time().as_millis()).unwrap_or(i64::MAX)
}

/// A statement of D1.
#[derive(Deserialize)]
pub(crate) struct Statement {
    sql: String,
    binds: Vec<Bind>,
}

/// A value of a statement: a number, a text, bytes, or null without any of them.
#[derive(Deserialize)]
struct Bind {
    n: Option<f64>,
    t: Option<String>,
    b: Option<JsBuffer>,
}

impl From<Statement> for D1Statement {
    fn from(statement: Statement) -> Self {
        let value = |bind: Bind| match bind {
            // As Cloudflare binds them: an integer column makes an integer of it.
            Bind { n: Some(number), .. } => Value::Real(number),
            Bind { t: Some(text), .. } => Value::Text(text),
            Bind { b: Some(bytes), .. } => Value::Blob(bytes.to_vec()),
            _ => Value::Null,
        };
        D1Statement { sql: statement.sql, binds: statement.binds.into_iter().map(value).collect() }
    }
}

/// What a statement of D1 has returned.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// In milliseconds.
    duration: f64,
    changes: f64,
    last_row_id: f64,
    changed_db: bool,
    size_after: f64,
    rows_read: f64,
    rows_written: f64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Cell {
    Null,
    Number(f64),
    Text(String),
    Bytes(ToJsBuffer),
}

impl From<D1Result> for Answer {
    fn from(result: D1Result) -> Self {
        let cell = |value: Value| match value {
            Value::Null => Cell::Null,
            Value::Integer(number) => Cell::Number(number as f64),
            Value::Real(number) => Cell::Number(number),
            Value::Text(text) => Cell::Text(text),
            Value::Blob(bytes) => Cell::Bytes(bytes.into()),
        };
        let rows = result.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
        let meta = result.meta;
        Answer {
            columns: result.columns,
            rows,
            duration: meta.duration.as_secs_f64() * 1000.0,
            changes: meta.changes as f64,
            last_row_id: meta.last_row_id as f64,
            changed_db: meta.changed_db,
            size_after: meta.size_after as f64,
            rows_read: meta.rows_read as f64,
            rows_written: meta.rows_written as f64,
        }
    }
}

/// Runs statements of D1: several in one transaction.
#[op2]
#[serde]
pub(crate) async fn op_d1_query(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[serde] statements: Vec<Statement>,
) -> Result<Vec<Answer>, StoreError> {
    let database = stores(&state)?.database(&id)?;
    let mut statements: Vec<D1Statement> = statements.into_iter().map(Into::into).collect();
    if statements.len() == 1
        && let Some(statement) = statements.pop()
    {
        return Ok(vec![database.query(statement).await?.into()]);
    }
    Ok(database.batch(statements).await?.into_iter().map(Into::into).collect())
}

/// Runs any number of statements of D1 without values. Returns how many there were, and how long they ran, in
/// milliseconds.
#[op2]
#[serde]
pub(crate) async fn op_d1_exec(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[string] sql: String,
) -> Result<(u32, f64), StoreError> {
    let done = stores(&state)?.database(&id)?.exec(sql).await?;
    Ok((u32::try_from(done.count).unwrap_or(u32::MAX), done.duration.as_secs_f64() * 1000.0))
}

/// A copy of a database of D1.
#[op2]
#[serde]
pub(crate) async fn op_d1_dump(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
) -> Result<ToJsBuffer, StoreError> {
    Ok(stores(&state)?.database(&id)?.dump().await?.into())
}

/// What KV has stored for a key.
#[derive(Serialize)]
pub(crate) struct Entry {
    value: ToJsBuffer,
    metadata: Option<String>,
}

#[op2]
#[serde]
pub(crate) async fn op_kv_get(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[string] key: String,
) -> Result<Option<Entry>, StoreError> {
    let entry = stores(&state)?.namespace(&id)?.get(&key, seconds()).await?;
    Ok(entry.map(|entry| Entry { value: entry.value.into(), metadata: entry.metadata }))
}

/// What a value of KV is stored with.
#[derive(Deserialize)]
pub(crate) struct PutOptions {
    metadata: Option<String>,
    expiration: Option<f64>,
    ttl: Option<f64>,
}

#[op2]
pub(crate) async fn op_kv_put(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[string] key: String,
    #[buffer] value: JsBuffer,
    #[serde] options: PutOptions,
) -> Result<(), StoreError> {
    let PutOptions { metadata, expiration, ttl } = options;
    let put = KvPut { metadata, expiration: expiration.map(|it| it as i64), ttl: ttl.map(|it| it as i64) };
    Ok(stores(&state)?.namespace(&id)?.put(&key, value.to_vec(), put, seconds()).await?)
}

#[op2]
pub(crate) async fn op_kv_delete(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[string] key: String,
) -> Result<(), StoreError> {
    Ok(stores(&state)?.namespace(&id)?.delete(&key).await?)
}

/// A part of a list of keys.
#[derive(Serialize)]
pub(crate) struct Page {
    keys: Vec<Key>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Key {
    name: String,
    expiration: Option<f64>,
    metadata: Option<String>,
}

#[op2]
#[serde]
pub(crate) async fn op_kv_list(
    state: Rc<RefCell<OpState>>,
    #[string] id: String,
    #[string] prefix: String,
    #[string] cursor: Option<String>,
    #[smi] limit: u32,
) -> Result<Page, StoreError> {
    let page = stores(&state)?.namespace(&id)?.list(&prefix, cursor, Some(limit), seconds()).await?;
    let keys = page.keys.into_iter().map(|key| Key {
        name: key.name,
        expiration: key.expiration.map(|it| it as f64),
        metadata: key.metadata,
    });
    Ok(Page { keys: keys.collect(), cursor: page.cursor })
}

/// A message for a queue.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    body: JsBuffer,
    content_type: String,
    delay: u32,
}

#[op2]
pub(crate) async fn op_queue_send(
    state: Rc<RefCell<OpState>>,
    #[string] queue: String,
    #[serde] messages: Vec<Message>,
) -> Result<(), StoreError> {
    let stores = stores(&state)?;
    let message = |it: Message| {
        let (body, content_type) = (it.body.to_vec(), it.content_type);
        NewMessage { body, content_type, delay: it.delay }
    };
    let messages = messages.into_iter().map(message).collect();
    stores.queues()?.send(&queue, messages, milliseconds()).await?;
    stores.changed().notify_waiters();
    Ok(())
}

/// How a Worker consumes a queue, as `src/dialect/workers/` has read it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consuming {
    queue: String,
    max_batch_size: u32,
    max_batch_timeout: u64,
    max_retries: u32,
    dead_letter_queue: Option<String>,
    retry_delay: u32,
}

impl Consuming {
    fn consumer(&self) -> Consumer {
        Consumer {
            batch_size: self.max_batch_size,
            batch_timeout: Duration::from_secs(self.max_batch_timeout),
            max_retries: self.max_retries,
            dead_letters: self.dead_letter_queue.clone(),
            retry_delay: self.retry_delay,
        }
    }
}

/// A message that is delivered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivered {
    number: f64,
    sent: f64,
    attempts: u32,
    content_type: String,
    body: ToJsBuffer,
}

/// The next batch of a queue, as soon as there is one; null when the isolate is not to consume queues any more.
#[op2]
#[serde]
pub(crate) async fn op_queue_take(
    state: Rc<RefCell<OpState>>,
    #[serde] consuming: Consuming,
) -> Result<Option<Vec<Delivered>>, StoreError> {
    let stores = stores(&state)?;
    let queues = stores.queues()?;
    let consumer = consuming.consumer();
    loop {
        let mut changed = std::pin::pin!(stores.changed().notified());
        // From here on no notification is missed.
        changed.as_mut().enable();
        if !triggers::is_newest(&state.borrow()) {
            return Ok(None);
        }
        match queues.take(&consuming.queue, &consumer, milliseconds()).await? {
            Taken::Batch(messages) => {
                let delivered = messages.into_iter().map(|message| Delivered {
                    number: message.number as f64,
                    sent: message.sent as f64,
                    attempts: message.attempts,
                    content_type: message.content_type,
                    body: message.body.into(),
                });
                return Ok(Some(delivered.collect()));
            }
            Taken::Wait(time) => {
                let wait = u64::try_from(time - milliseconds()).unwrap_or_default();
                let at = Instant::now() + Duration::from_millis(wait);
                let _ = tokio::time::timeout_at(at, changed).await;
            }
            Taken::Empty => changed.await,
        }
    }
}

/// A message that is to be delivered again.
#[derive(Deserialize)]
pub(crate) struct Again {
    number: f64,
    delay: Option<u32>,
}

/// A batch was handled. Returns how many messages were dropped, because they failed too often and there is no
/// dead-letter queue.
#[op2]
pub(crate) async fn op_queue_settle(
    state: Rc<RefCell<OpState>>,
    #[serde] consuming: Consuming,
    #[serde] acknowledged: Vec<f64>,
    #[serde] retries: Vec<Again>,
) -> Result<u32, StoreError> {
    let stores = stores(&state)?;
    let acknowledged = acknowledged.into_iter().map(|number| number as i64).collect();
    let retry = |Again { number, delay }| Retry { number: number as i64, delay };
    let retries = retries.into_iter().map(retry).collect();
    let queues = stores.queues()?;
    let settled = queues.settle(&consuming.consumer(), acknowledged, retries, milliseconds()).await?;
    stores.changed().notify_waiters();
    Ok(u32::try_from(settled.dropped).unwrap_or(u32::MAX))
}
