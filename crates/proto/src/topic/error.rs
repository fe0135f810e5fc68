//! Why a call on a topic fails.

use super::{InvalidName, Position};

/// Why a call on a topic fails. No message was added and no setting was changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TopicError {
    /// The text is no name of a topic.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// There is no such topic.
    #[error("there is no such topic")]
    Unknown,
    /// The topic was deleted, but topics that continue it exist.
    #[error("the topic was deleted")]
    Deleted,
    /// A topic exists with this name and with something else.
    #[error("the topic exists with another {0}")]
    Exists(&'static str),
    /// The topic has another media type.
    #[error("the topic has the media type {expected}, not {received}")]
    MediaType {
        /// The topic's.
        expected: Box<str>,
        /// The caller's.
        received: Box<str>,
    },
    /// No message may follow.
    #[error("the topic is closed")]
    Closed {
        /// The position behind the last message.
        tail: Position,
    },
    /// A later start of the producer has published.
    #[error("the producer has started again, with epoch {epoch}")]
    StaleProducer {
        /// Its newest epoch.
        epoch: u64,
    },
    /// Publications of the producer are missing.
    #[error("publication {expected} of the producer comes next, not {received}")]
    MissingPublications {
        /// The next sequence number.
        expected: u64,
        /// The sequence number of the caller.
        received: u64,
    },
    /// A new epoch of a producer does not begin with 0.
    #[error("a producer that has started again begins with the sequence number 0")]
    ProducerStart,
    /// The sequence of the writer is not behind the last one.
    #[error("the sequence is not behind {0:?}, the last one")]
    Sequence(Box<str>),
    /// There is nothing to publish.
    #[error("there is nothing to publish")]
    Empty,
    /// The data is no JSON.
    #[error("the data is not JSON: {0}")]
    NotJson(String),
    /// The data is too large.
    #[error("a message has at most {limit} bytes")]
    TooLarge {
        /// Bytes.
        limit: usize,
    },
    /// The topic or the hub has no room.
    #[error("there is no room for more messages")]
    Full,
    /// There are too many of something.
    #[error("there are {limit} {what} already, the limit")]
    TooMany {
        /// Topics, subscribers, producers.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Messages come too fast.
    #[error("messages come too fast; the next one may come in {retry_after} ms")]
    Rate {
        /// Milliseconds until the next one may come.
        retry_after: u64,
    },
    /// The messages at the position are not kept any more.
    #[error(
        "the messages behind this position are not kept any more; the oldest that is kept follows {oldest}"
    )]
    Gone {
        /// The position before the oldest message that is kept.
        oldest: Position,
    },
    /// The position is behind the newest message.
    #[error("the position is behind the newest message")]
    Beyond,
    /// A fork begins within a message that does not exist or is shorter.
    #[error("the message at the fork is shorter")]
    SubOffset,
}
