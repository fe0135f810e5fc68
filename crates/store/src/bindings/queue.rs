//! Queues: messages that are delivered in batches until a consumer acknowledges them.

use std::path::Path;
use std::time::Duration;

use super::kv::{blob, fields, integer, rows_of, text};
use crate::actor::StorageError;
use crate::sqlite::SqliteConnection;
use crate::{Database, ResultBudget, SqlError, Value};

/// Bytes of a message.
const MAX_MESSAGE: usize = 128 * 1024;

/// Messages of one call.
const MAX_SENT: usize = 100;

/// Bytes of all messages of one call.
const MAX_SENT_BYTES: usize = 256 * 1024;

/// Messages of one batch that is delivered.
const MAX_BATCH: u32 = 100;

/// Seconds that a message may be delayed: twelve hours.
const MAX_DELAY: u32 = 12 * 60 * 60;

/// Messages that may wait in one queue.
const MAX_WAITING: i64 = 1_000_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
      number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible INTEGER NOT NULL, sent INTEGER NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0, type TEXT NOT NULL, body BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS messages_visible ON messages (queue, taken, visible);
    CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, waiting INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TRIGGER IF NOT EXISTS messages_inserted AFTER INSERT ON messages BEGIN
      INSERT INTO queues VALUES (new.queue, 1) ON CONFLICT DO UPDATE SET waiting = waiting + 1;
    END;
    CREATE TRIGGER IF NOT EXISTS messages_deleted AFTER DELETE ON messages BEGIN
      UPDATE queues SET waiting = waiting - 1 WHERE name = old.queue;
    END;
    CREATE TRIGGER IF NOT EXISTS messages_moved AFTER UPDATE OF queue ON messages WHEN old.queue <> new.queue BEGIN
      UPDATE queues SET waiting = waiting - 1 WHERE name = old.queue;
      INSERT INTO queues VALUES (new.queue, 1) ON CONFLICT DO UPDATE SET waiting = waiting + 1;
    END;
    UPDATE messages SET taken = 0 WHERE taken <> 0;";

/// All queues of a project, in one file, so that a message moves to a dead-letter queue in one step. Clones share it.
/// Times are in milliseconds since 1970.
#[derive(Clone)]
pub struct Queues(Database);

/// A message that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Serialized as `content_type` names it.
    pub body: Vec<u8>,
    /// `json`, `text`, `bytes` or `v8`.
    pub content_type: String,
    /// Seconds until it may be delivered.
    pub delay: u32,
}

/// A message that is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    /// Unique in the project.
    pub number: i64,
    /// When it was sent.
    pub sent: i64,
    /// How often it was delivered, this time included.
    pub attempts: u32,
    /// As it was sent.
    pub content_type: String,
    /// As it was sent.
    pub body: Vec<u8>,
}

/// How a consumer receives messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The most messages of one batch, from 1 to 100.
    pub batch_size: u32,
    /// How long a message waits for others of its batch.
    pub batch_timeout: Duration,
    /// How often a message is delivered again.
    pub max_retries: u32,
    /// The queue for messages that were delivered too often; without one they are deleted.
    pub dead_letters: Option<String>,
    /// Seconds until a message is delivered again, unless [`Retry::delay`] is set.
    pub retry_delay: u32,
}

impl Default for Consumer {
    fn default() -> Consumer {
        Consumer {
            batch_size: 10,
            batch_timeout: Duration::from_secs(5),
            max_retries: 3,
            dead_letters: None,
            retry_delay: 0,
        }
    }
}

/// What a consumer receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// These messages, to be settled with [`Queues::settle`].
    Batch(Vec<QueuedMessage>),
    /// Nothing before this time, unless a message is sent.
    Wait(i64),
    /// Nothing until a message is sent or a batch is settled.
    Empty,
}

/// A message to be delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Its [`QueuedMessage::number`].
    pub number: i64,
    /// Seconds until it is delivered again; [`Consumer::retry_delay`] if there are none.
    pub delay: Option<u32>,
}

/// What has become of the messages that were to be delivered again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many are delivered again.
    pub retried: usize,
    /// How many went to the dead-letter queue.
    pub dead: usize,
    /// How many were deleted, because there is no dead-letter queue.
    pub dropped: usize,
}

impl Queues {
    /// Opens a file, made if there is none. Messages that were delivered and not settled are delivered again.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file or its folder cannot be opened or created, or no thread could start.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`.
    pub fn open(path: &Path, results: &ResultBudget) -> Result<Queues, SqlError> {
        super::make_folder_of(path)?;
        Ok(Queues(Database::open_with(Some(path), results, |connection| connection.exec(SCHEMA))?.0))
    }

    /// Sends messages: all or none.
    ///
    /// # Errors
    ///
    /// - [`StorageError::Limit`]: there are more than 100 messages, one has more than 128 KiB, all have more than 256
    ///   KiB together, one is delayed by more than 43,200 seconds, or more than 1,000,000 messages would wait in the
    ///   queue.
    /// - [`StorageError::Statement`]: a code of [`Database::run`], such as `SQLITE_BUSY`.
    pub async fn send(&self, queue: &str, messages: Vec<NewMessage>, now: i64) -> Result<(), StorageError> {
        let limit = |message: String| Err(StorageError::Limit(message));
        if messages.len() > MAX_SENT {
            return limit(format!("one call sends at most {MAX_SENT} messages, not {}", messages.len()));
        }
        if let Some(bytes) = messages.iter().map(|it| it.body.len()).find(|bytes| *bytes > MAX_MESSAGE) {
            return limit(format!("a message has at most {MAX_MESSAGE} bytes, and this one has {bytes}"));
        }
        let bytes: usize = messages.iter().map(|it| it.body.len()).sum();
        if bytes > MAX_SENT_BYTES {
            return limit(format!(
                "the messages of one call have at most {MAX_SENT_BYTES} bytes, not {bytes}"
            ));
        }
        if let Some(delay) = messages.iter().map(|it| it.delay).find(|delay| *delay > MAX_DELAY) {
            return limit(format!("a message is delayed by at most {MAX_DELAY} seconds, not {delay}"));
        }
        let queue = queue.to_owned();
        let sent = self.0.with(move |connection| {
            in_transaction(connection, |connection| {
                let sql = "SELECT waiting FROM queues WHERE name = ?";
                let waiting = rows_of(connection, sql, vec![Value::Text(queue.clone())])?;
                let waiting = waiting.first().and_then(|row| integer(&row[0])).unwrap_or(0);
                if waiting + messages.len() as i64 > MAX_WAITING {
                    return Ok(false);
                }
                for message in messages {
                    let sql =
                        "INSERT INTO messages (queue, visible, sent, type, body) VALUES (?, ?, ?, ?, ?)";
                    let values = vec![
                        Value::Text(queue.clone()),
                        Value::Integer(now + i64::from(message.delay) * 1000),
                        Value::Integer(now),
                        Value::Text(message.content_type),
                        Value::Blob(message.body),
                    ];
                    rows_of(connection, sql, values)?;
                }
                Ok(true)
            })
        });
        match sent.await? {
            true => Ok(()),
            false => limit(format!("at most {MAX_WAITING} messages may wait in a queue")),
        }
    }

    /// The next batch of a queue: when it is full, or its oldest message has waited long enough.
    ///
    /// # Errors
    ///
    /// [`StorageError::Statement`] with a code of [`Database::run`], such as `SQLITE_BUSY`, or `SQLITE_TOOBIG` if the
    /// batch is larger than `--max-result` allows. No message is taken then.
    pub async fn take(&self, queue: &str, consumer: &Consumer, now: i64) -> Result<Taken, StorageError> {
        let size = i64::from(consumer.batch_size.clamp(1, MAX_BATCH));
        let timeout = i64::try_from(consumer.batch_timeout.as_millis()).unwrap_or(i64::MAX / 4);
        let queue = queue.to_owned();
        let take = move |connection: &mut SqliteConnection| {
            in_transaction(connection, |connection| {
                let sql = "SELECT count(*), min(visible) FROM (SELECT visible FROM messages
                           WHERE queue = ? AND taken = 0 ORDER BY visible LIMIT ?)";
                let params = vec![Value::Text(queue.clone()), Value::Integer(size)];
                let first = rows_of(connection, sql, params)?.into_iter().next();
                let [_, oldest] = first.map_or([Value::Null, Value::Null], fields);
                let Some(oldest) = integer(&oldest) else { return Ok(Taken::Empty) };
                let sql = "SELECT number, sent, attempts + 1, type, body FROM messages
                           WHERE queue = ? AND taken = 0 AND visible <= ? ORDER BY visible, number LIMIT ?";
                let params = vec![Value::Text(queue.clone()), Value::Integer(now), Value::Integer(size)];
                let rows = rows_of(connection, sql, params)?;
                if (rows.len() as i64) < size && oldest + timeout > now {
                    return Ok(Taken::Wait(oldest + timeout));
                }
                let mut batch = Vec::with_capacity(rows.len());
                for row in rows {
                    let [number, sent, attempts, content_type, body] = fields(row);
                    let number = integer(&number).unwrap_or(0);
                    let sql = "UPDATE messages SET taken = 1, attempts = attempts + 1 WHERE number = ?";
                    rows_of(connection, sql, vec![Value::Integer(number)])?;
                    batch.push(QueuedMessage {
                        number,
                        sent: integer(&sent).unwrap_or(0),
                        attempts: integer(&attempts).and_then(|it| it.try_into().ok()).unwrap_or(1),
                        content_type: text(content_type).unwrap_or_default(),
                        body: blob(body),
                    });
                }
                Ok(Taken::Batch(batch))
            })
        };
        Ok(self.0.with(take).await?)
    }

    /// A batch was handled. Deletes the messages that are acknowledged. The others are delivered again, or go to the
    /// dead-letter queue if they were delivered more often than [`Consumer::max_retries`] allows.
    ///
    /// # Errors
    ///
    /// [`StorageError::Statement`] with a code of [`Database::run`], such as `SQLITE_BUSY`. Nothing has changed then.
    pub async fn settle(
        &self,
        consumer: &Consumer,
        acknowledged: Vec<i64>,
        retries: Vec<Retry>,
        now: i64,
    ) -> Result<Settled, StorageError> {
        let consumer = consumer.clone();
        let settle = move |connection: &mut SqliteConnection| {
            in_transaction(connection, |connection| {
                let delete = "DELETE FROM messages WHERE number = ?";
                for number in acknowledged {
                    rows_of(connection, delete, vec![Value::Integer(number)])?;
                }
                let mut settled = Settled::default();
                for Retry { number, delay } in retries {
                    let number = Value::Integer(number);
                    let sql = "SELECT attempts FROM messages WHERE number = ? AND taken = 1";
                    let rows = rows_of(connection, sql, vec![number.clone()])?;
                    let Some(attempts) = rows.first().and_then(|row| integer(&row[0])) else { continue };
                    if attempts <= i64::from(consumer.max_retries) {
                        let delay = delay.unwrap_or(consumer.retry_delay).min(MAX_DELAY);
                        let visible = Value::Integer(now + i64::from(delay) * 1000);
                        let sql = "UPDATE messages SET taken = 0, visible = ? WHERE number = ?";
                        rows_of(connection, sql, vec![visible, number])?;
                        settled.retried += 1;
                    } else if let Some(dead) = &consumer.dead_letters {
                        let sql = "UPDATE messages SET taken = 0, attempts = 0, visible = ?, queue = ?
                                   WHERE number = ?";
                        let params = vec![Value::Integer(now), Value::Text(dead.clone()), number];
                        rows_of(connection, sql, params)?;
                        settled.dead += 1;
                    } else {
                        rows_of(connection, delete, vec![number])?;
                        settled.dropped += 1;
                    }
                }
                Ok(settled)
            })
        };
        Ok(self.0.with(settle).await?)
    }

    /// How many messages a queue has, those included that are being handled.
    ///
    /// # Errors
    ///
    /// [`StorageError::Statement`] with a code of [`Database::run`], such as `SQLITE_BUSY`.
    pub async fn depth(&self, queue: &str) -> Result<u64, StorageError> {
        let queue = Value::Text(queue.to_owned());
        let sql = "SELECT waiting FROM queues WHERE name = ?";
        let rows = self.0.with(move |connection| rows_of(connection, sql, vec![queue])).await?;
        Ok(rows.first().and_then(|row| integer(&row[0])).unwrap_or(0).max(0).cast_unsigned())
    }
}

fn in_transaction<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    connection.begin()?;
    let done = work(connection);
    match &done {
        Ok(_) => connection.commit()?,
        Err(_) => connection.rollback(),
    }
    done
}
