//! Bodies that JavaScript writes bit by bit.

use std::collections::HashMap;

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use tokio::sync::mpsc;

use crate::ext::OpError;
use crate::http::Chunk;
use liveline_proto::ExchangeId;

/// Streamed bodies that JavaScript still writes to, with the exchanges that they answer. A number is not used again
/// while JavaScript may hold it: code that was stopped in the middle of a stream could end that of another exchange.
#[derive(Default)]
pub(crate) struct Streams {
    open: HashMap<u32, Open>,
    next: u32,
    /// The process ends, and streams of events with it.
    is_stopping: bool,
}

/// A stream that JavaScript writes to.
pub(super) struct Open {
    pub exchange: ExchangeId,
    pub sender: mpsc::Sender<Chunk>,
    /// How many bytes it has, and how many of them are still to come, where its head said so.
    pub length: Option<Length>,
    /// Its client connects again where it ends.
    pub is_of_events: bool,
    /// It was ended from here. What its source says further is not sent.
    pub is_over: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub whole: u64,
    pub left: u64,
}

/// Numbers of streams stay within what V8 keeps as small integers.
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

    /// Counts bytes that are about to be written. `None`: the client has left.
    pub(super) fn write(&mut self, stream: u32, bytes: u64) -> Result<Option<mpsc::Sender<Chunk>>, OpError> {
        let Some(open) = self.open.get_mut(&stream).filter(|open| !open.is_over) else { return Ok(None) };
        if let Some(length) = &mut open.length {
            length.left = length.left.checked_sub(bytes).ok_or(OpError::LongBody(length.whole))?;
        }
        Ok(Some(open.sender.clone()))
    }

    /// Nothing more is written.
    pub(super) fn remove(&mut self, stream: u32) -> Option<Open> {
        self.open.remove(&stream)
    }

    /// The process ends: streams of events come to their proper end, now and from now on. Their clients connect again,
    /// and would hold the end up.
    pub(crate) fn stop(&mut self) {
        self.is_stopping = true;
        self.open.values_mut().for_each(Open::stop);
    }

    /// An exchange was stopped: nothing ends the streams that its code wrote to, and their clients are to be told.
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

/// Whether an answer is one of those that clients follow for as long as they are there, and ask for again.
pub(super) fn is_of_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["text/event-stream", "application/x-ndjson"].iter().any(|events| kind.eq_ignore_ascii_case(events))
}

/// The last chunk. The channel's one place may be taken, and the end comes after what is in it.
pub(super) fn end(sender: mpsc::Sender<Chunk>, last: Chunk) {
    deno_core::unsync::spawn(async move { sender.send(last).await });
}
