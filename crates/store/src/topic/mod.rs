//! Topics in a database file, which outlive the process.
//!
//! One thread writes. It takes everything that waits, writes it in one transaction, and then reports that it is stored,
//! so that many writers share one sync of the disk. What a topic's head, a message's properties and a producer are is
//! JSON that this module does not read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::SqlError;
use crate::session::make_private;

#[cfg(test)]
mod tests;

/// The tables. Their names begin with `liveline_`, because the file may hold other tables, too.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS liveline_topic_hub (epoch INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS liveline_topics (
      name TEXT PRIMARY KEY,
      head TEXT NOT NULL,
      base INTEGER NOT NULL,
      dropped INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS liveline_topic_messages (
      topic TEXT NOT NULL,
      id INTEGER NOT NULL,
      shared INTEGER NOT NULL,
      properties TEXT NOT NULL,
      data BLOB NOT NULL,
      PRIMARY KEY (topic, id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS liveline_topic_producers (
      topic TEXT NOT NULL,
      id TEXT NOT NULL,
      state TEXT NOT NULL,
      PRIMARY KEY (topic, id)
    ) WITHOUT ROWID;";

/// How many writes one transaction has at most.
const MAX_GROUP: usize = 4096;

/// Something to write.
#[derive(Debug, Clone)]
pub enum TopicWrite {
    /// The epoch of the positions among all topics.
    Hub(u64),
    /// A topic was created, or has changed.
    Head {
        /// Its name.
        topic: String,
        /// What it is, as JSON.
        head: String,
        /// The first offset that is kept.
        base: u64,
        /// The shared offset behind the newest message that was dropped.
        dropped: u64,
    },
    /// A message was added.
    Message {
        /// Its topic.
        topic: String,
        /// The message.
        row: MessageRow,
    },
    /// Messages were dropped.
    Trim {
        /// Their topic.
        topic: String,
        /// The first offset that is kept: messages with ids up to this one are removed.
        base: u64,
        /// The shared offset behind the newest message that was dropped.
        dropped: u64,
        /// The id of the message that is kept nevertheless.
        retained: Option<u64>,
    },
    /// A producer has published.
    Producer {
        /// The topic.
        topic: String,
        /// The producer.
        id: String,
        /// What is known of it, as JSON.
        state: String,
    },
    /// A topic was removed.
    Remove {
        /// Its name.
        topic: String,
    },
}

impl TopicWrite {
    /// Bytes that it counts for while it waits.
    fn cost(&self) -> usize {
        /// What a write has besides texts and data.
        const WRITE: usize = 128;
        WRITE
            + match self {
                TopicWrite::Hub(_) | TopicWrite::Trim { .. } | TopicWrite::Remove { .. } => 0,
                TopicWrite::Head { head, .. } => head.len(),
                TopicWrite::Message { row, .. } => row.data.len() + row.properties.len(),
                TopicWrite::Producer { state, .. } => state.len(),
            }
    }
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// The offset of its id.
    pub id: u64,
    /// The offset of its shared id.
    pub shared: u64,
    /// Its other properties, as JSON.
    pub properties: String,
    /// Its data.
    pub data: Bytes,
}

/// What the file has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StoredTopics {
    /// The epoch of the positions among all topics.
    pub epoch: Option<u64>,
    /// The topics.
    pub topics: Vec<StoredTopic>,
}

/// A topic that the file has.
#[derive(Debug, PartialEq, Eq)]
pub struct StoredTopic {
    /// Its name.
    pub name: String,
    /// What it is, as JSON.
    pub head: String,
    /// The first offset that is kept.
    pub base: u64,
    /// The shared offset behind the newest message that was dropped.
    pub dropped: u64,
    /// Its messages in their order.
    pub messages: Vec<MessageRow>,
    /// Its producers, and what is known of each, as JSON.
    pub producers: Vec<(String, String)>,
}

/// Called when everything that was written before is stored, or could not be.
type Report = Box<dyn FnOnce(Result<(), SqlError>) + Send>;

enum Task {
    Write(TopicWrite),
    Report(Report),
}

/// The writer of a file. Clones share its thread, which ends with the last.
#[derive(Clone)]
pub struct TopicStore {
    tasks: Sender<Task>,
    /// Bytes of writes that are not in the file yet.
    waiting: Arc<AtomicUsize>,
}

impl TopicStore {
    /// Opens or creates the file, and returns what it has.
    ///
    /// # Errors
    ///
    /// - `SQLITE_CANTOPEN`: the file cannot be opened or created.
    /// - `SQLITE_NOTADB`, `SQLITE_CORRUPT`: the file is no database, or a damaged one.
    /// - `SQLITE_BUSY`: another connection has locked the file for 5 seconds.
    /// - `SQLITE_NOMEM`: no thread could start.
    /// - Any other code that SQLite reports, such as `SQLITE_READONLY` or `SQLITE_IOERR`; `SQLITE_ERROR` for a stored
    ///   value of the wrong type.
    pub fn open(path: &Path) -> Result<(TopicStore, StoredTopics), SqlError> {
        make_private(path)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch(SCHEMA)?;
        let stored = read(&connection)?;
        let (sender, tasks) = channel();
        let thread = thread::Builder::new().name("topics".to_owned());
        let waiting = Arc::<AtomicUsize>::default();
        let written = waiting.clone();
        thread
            .spawn(move || run(connection, &tasks, &written))
            .map_err(|error| SqlError::new("SQLITE_NOMEM", format!("no thread for topics: {error}")))?;
        Ok((TopicStore { tasks: sender, waiting }, stored))
    }

    /// Writes, in the order of the calls.
    pub fn write(&self, write: TopicWrite) {
        self.waiting.fetch_add(write.cost(), Ordering::Relaxed);
        // The thread ends only with the last sender.
        let _ = self.tasks.send(Task::Write(write));
    }

    /// Bytes of writes that are not in the file yet. The caller limits them.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Calls `report` when everything that was written before is stored, or could not be.
    pub fn report(&self, report: impl FnOnce(Result<(), SqlError>) + Send + 'static) {
        let _ = self.tasks.send(Task::Report(Box::new(report)));
    }
}

fn run(mut connection: Connection, tasks: &Receiver<Task>, waiting: &AtomicUsize) {
    // Why writes since the last report were lost.
    let mut lost: Option<SqlError> = None;
    while let Ok(first) = tasks.recv() {
        let group = std::iter::once(first).chain(tasks.try_iter()).take(MAX_GROUP);
        let (mut writes, mut reports) = (Vec::new(), Vec::new());
        for task in group {
            match task {
                Task::Write(write) => writes.push(write),
                Task::Report(report) => reports.push(report),
            }
        }
        if !writes.is_empty()
            && let Err(error) = write_all(&mut connection, &writes)
        {
            lost.get_or_insert(error);
        }
        waiting.fetch_sub(writes.iter().map(TopicWrite::cost).sum(), Ordering::Relaxed);
        if !reports.is_empty() {
            let stored = lost.take().map_or(Ok(()), Err);
            reports.into_iter().for_each(|report| report(stored.clone()));
        }
    }
}

fn write_all(connection: &mut Connection, writes: &[TopicWrite]) -> Result<(), SqlError> {
    let transaction = connection.transaction()?;
    for write in writes {
        write_one(&transaction, write)?;
    }
    Ok(transaction.commit()?)
}

fn write_one(connection: &Connection, write: &TopicWrite) -> Result<(), SqlError> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Result<(), SqlError> {
        connection.prepare_cached(sql)?.execute(params)?;
        Ok(())
    };
    match write {
        TopicWrite::Hub(epoch) => {
            run("DELETE FROM liveline_topic_hub", &[])?;
            run("INSERT INTO liveline_topic_hub VALUES (?)", &[&integer(*epoch)])
        }
        TopicWrite::Head { topic, head, base, dropped } => run(
            "INSERT INTO liveline_topics VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE
             SET head = excluded.head, base = excluded.base, dropped = excluded.dropped",
            &[topic, head, &integer(*base), &integer(*dropped)],
        ),
        TopicWrite::Message { topic, row } => run(
            "INSERT OR REPLACE INTO liveline_topic_messages VALUES (?, ?, ?, ?, ?)",
            &[topic, &integer(row.id), &integer(row.shared), &row.properties, &&row.data[..]],
        ),
        TopicWrite::Trim { topic, base, dropped, retained } => {
            run(
                "DELETE FROM liveline_topic_messages WHERE topic = ? AND id <= ? AND id IS NOT ?",
                &[topic, &integer(*base), &retained.map(integer)],
            )?;
            run(
                "UPDATE liveline_topics SET base = ?, dropped = ? WHERE name = ?",
                &[&integer(*base), &integer(*dropped), topic],
            )
        }
        TopicWrite::Producer { topic, id, state } => {
            run("INSERT OR REPLACE INTO liveline_topic_producers VALUES (?, ?, ?)", &[topic, id, state])
        }
        TopicWrite::Remove { topic } => {
            run("DELETE FROM liveline_topic_messages WHERE topic = ?", &[topic])?;
            run("DELETE FROM liveline_topic_producers WHERE topic = ?", &[topic])?;
            run("DELETE FROM liveline_topics WHERE name = ?", &[topic])
        }
    }
}

fn read(connection: &Connection) -> Result<StoredTopics, SqlError> {
    let select = "SELECT epoch FROM liveline_topic_hub";
    let epoch: Option<i64> = connection.query_row(select, [], |row| row.get(0)).optional()?;
    let mut heads = connection.prepare("SELECT name, head, base, dropped FROM liveline_topics")?;
    let mut messages = connection.prepare(
        "SELECT id, shared, properties, data FROM liveline_topic_messages WHERE topic = ? ORDER BY id",
    )?;
    let mut producers =
        connection.prepare("SELECT id, state FROM liveline_topic_producers WHERE topic = ?")?;
    let mut topics = Vec::new();
    let mut rows = heads.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let messages = messages.query_map(params![name], |row| {
            Ok(MessageRow {
                id: row.get::<_, i64>(0)?.cast_unsigned(),
                shared: row.get::<_, i64>(1)?.cast_unsigned(),
                properties: row.get(2)?,
                data: row.get::<_, Vec<u8>>(3)?.into(),
            })
        })?;
        let messages = messages.collect::<Result<_, _>>()?;
        let producers = producers.query_map(params![name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let producers = producers.collect::<Result<_, _>>()?;
        topics.push(StoredTopic {
            head: row.get(1)?,
            base: row.get::<_, i64>(2)?.cast_unsigned(),
            dropped: row.get::<_, i64>(3)?.cast_unsigned(),
            name,
            messages,
            producers,
        });
    }
    Ok(StoredTopics { epoch: epoch.map(i64::cast_unsigned), topics })
}

fn integer(number: u64) -> i64 {
    number.cast_signed()
}
