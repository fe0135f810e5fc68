//! The topics in a file: what changes as what is written, and what was stored as topics.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use liveline_proto::topic::{Change, Filter, Kept, KeptMessage, Message, TopicHead, Topics};
use liveline_store::{MessageRow, SqlError, StoredTopic, TopicStore, TopicWrite};

/// The file.
pub(super) struct Store {
    file: TopicStore,
    /// The log has the failure of the file.
    has_failed: Arc<AtomicBool>,
}

/// What a row has of a message besides its data.
#[derive(Debug, Serialize, Deserialize)]
struct Properties {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    event: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key: Option<Box<str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    retained: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    ends_batch: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    filter: Option<Filter>,
}

impl Store {
    /// Opens the file, and restores its topics.
    pub(super) fn open(path: &Path, topics: &mut Topics) -> Result<Store, SqlError> {
        let (file, stored) = TopicStore::open(path)?;
        let kept = stored.topics.into_iter().filter_map(|topic| {
            let name = topic.name.clone();
            kept(topic)
                .inspect_err(|error| {
                    tracing::error!("the topic {name} in {} cannot be read: {error}", path.display());
                })
                .ok()
        });
        let kept = kept.collect();
        topics.restore(stored.epoch, kept);
        topics.keep_changes();
        Ok(Store { file, has_failed: Arc::default() })
    }

    pub(super) fn write(&self, change: &Change) {
        let write = match change {
            Change::Hub { epoch } => TopicWrite::Hub(*epoch),
            Change::Head(head) => TopicWrite::Head {
                topic: head.name.to_string(),
                head: json(head),
                base: head.base,
                dropped: head.dropped_shared,
            },
            Change::Append(message) => {
                TopicWrite::Message { topic: message.topic.to_string(), row: row(message) }
            }
            Change::Trim { topic, base, dropped_shared, retained } => TopicWrite::Trim {
                topic: topic.to_string(),
                base: *base,
                dropped: *dropped_shared,
                retained: *retained,
            },
            Change::Producer { topic, id, state } => {
                TopicWrite::Producer { topic: topic.to_string(), id: id.to_string(), state: json(state) }
            }
            Change::Remove { topic } => TopicWrite::Remove { topic: topic.to_string() },
        };
        self.file.write(write);
    }

    /// Whether so much waits for the disk that nothing more may be published.
    pub(super) fn is_full(&self) -> bool {
        /// Bytes that may wait.
        const MOST: usize = 64 << 20;
        self.file.waiting() > MOST
    }

    /// Calls `report` when everything that was written before is stored, or could not be.
    pub(super) fn report(&self, report: impl FnOnce(Result<(), SqlError>) + Send + 'static) {
        let has_failed = self.has_failed.clone();
        self.file.report(move |stored| {
            if let Err(error) = &stored
                && !has_failed.swap(true, Ordering::Relaxed)
            {
                tracing::error!("topics are not stored: {error}");
            }
            report(stored);
        });
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("it consists of texts and numbers")
}

fn row(message: &Message) -> MessageRow {
    let properties = Properties {
        event: message.event.clone(),
        key: message.key.clone(),
        retained: message.is_retained,
        ends_batch: message.ends_batch,
        filter: message.filter.clone(),
    };
    MessageRow {
        id: message.id.offset,
        shared: message.shared_id.offset,
        properties: json(&properties),
        data: message.data.clone(),
    }
}

fn kept(topic: StoredTopic) -> Result<Kept, serde_json::Error> {
    let StoredTopic { name: _, head, base, dropped, messages, producers } = topic;
    let mut head: TopicHead = serde_json::from_str(&head)?;
    (head.base, head.dropped_shared) = (base, dropped);
    let messages = messages.into_iter().map(|row| {
        let properties: Properties = serde_json::from_str(&row.properties)?;
        Ok(KeptMessage {
            offset: row.id,
            shared: row.shared,
            event: properties.event,
            key: properties.key,
            data: row.data,
            is_retained: properties.retained,
            ends_batch: properties.ends_batch,
            filter: properties.filter,
        })
    });
    let producers = producers.into_iter().map(|(id, state)| Ok((id.into(), serde_json::from_str(&state)?)));
    Ok(Kept {
        head,
        messages: messages.collect::<Result<_, serde_json::Error>>()?,
        producers: producers.collect::<Result<_, serde_json::Error>>()?,
    })
}
