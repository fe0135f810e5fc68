//! Bodies that JavaScript writes in chunks.

use std::collections::HashMap;

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use tokio::sync::mpsc;

use crate::ext::OpError;
use crate::http::Chunk;
use liveline_proto::ExchangeId;

/// Open streams, with the exchanges that they answer. A number is not reused while JavaScript may refer to
/// it: code that was stopped in the middle of a stream could otherwise end a stream of another exchange.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<u32, Open>,
    next: u32,
    /// The process is stopping, and event streams end.
    is_stopping: bool,
}

/// A stream that JavaScript writes to.
pub(super) struct Open {
    pub exchange: ExchangeId,
    pub sender: mpsc::Sender<Chunk>,
    /// Total and remaining bytes, if the head has a `Content-Length`.
    pub length: Option<Length>,
    /// It is an event stream: its client reconnects when it ends.
    pub is_of_events: bool,
    /// The host has ended it. Further chunks are dropped.
    pub is_over: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub whole: u64,
    pub left: u64,
}

/// The largest stream number, so that V8 stores all of them as small integers.
const MAX_STREAM: u32 = (1 << 30) - 1;

impl Streams {
    pub(super) fn insert(&mut self, mut open: Open) -> u32 {
        if self.is_stopping {
            open.stop();
        }
        while self.open.contains_key(&self.next) {
            self.next = (self.next + 1) & MAX_STREAM;
        }
        let stream = self.next;
        self.next = (stream + 1) & MAX_STREAM;
        self.open.insert(stream, open);
        stream
    }

    pub(super) fn sender(&self, stream: u32) -> Option<mpsc::Sender<Chunk>> {
        self.open.get(&stream).map(|open| open.sender.clone())
    }

    /// Counts bytes that are about to be written. `None`: the client disconnected or the host has ended the
    /// stream.
    pub(super) fn write(&mut self, stream: u32, bytes: u64) -> Result<Option<mpsc::Sender<Chunk>>, OpError> {
        let Some(open) = self.open.get_mut(&stream).filter(|open| !open.is_over) else { return Ok(None) };
        if let Some(length) = &mut open.length {
            length.left = length.left.checked_sub(bytes).ok_or(OpError::LongBody(length.whole))?;
        }
        Ok(Some(open.sender.clone()))
    }

    /// Removes a stream.
    pub(super) fn remove(&mut self, stream: u32) -> Option<Open> {
        self.open.remove(&stream)
    }

    /// The process is stopping: ends all event streams properly, and later ones when they begin, because they
    /// would delay the stop. Their clients reconnect.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        self.open.values_mut().for_each(Open::stop);
    }

    /// The code of an exchange was stopped: fails its streams, which nothing else would end.
    pub(crate) fn stopped(&mut self, exchange: ExchangeId) {
        for (_, open) in self.open.extract_if(|_, open| open.exchange == exchange) {
            end(open.sender, Chunk::Failed);
        }
    }
}

impl Open {
    fn stop(&mut self) {
        if self.is_of_events && self.length.is_none() && !self.is_over {
            self.is_over = true;
            end(self.sender.clone(), Chunk::End);
        }
    }
}

/// Whether an answer is an event stream, which clients read without end and request again.
pub(super) fn is_of_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["text/event-stream", "application/x-ndjson"].iter().any(|events| kind.eq_ignore_ascii_case(events))
}

/// Sends the last chunk. Waits if the channel, which has a capacity of one chunk, is full.
pub(super) fn end(sender: mpsc::Sender<Chunk>, last: Chunk) {
    deno_core::unsync::spawn(async move { sender.send(last).await });
}
