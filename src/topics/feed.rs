//! What a connection carries: the messages of a subscriber, in a format.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::larc::{Outcome, PageSession};
use super::{PresentConnection, Subscriber};
use crate::clock::unix_time;
use liveline_proto::topic::{Content, Delivery, Encoding, End, Gap, Message, Position, Taken};
use liveline_proto::{CloseCode, Format, websocket};

/// Bytes of messages that are taken at a time.
const BATCH_BYTES: usize = 64 * 1024;

/// The messages of a subscriber on their way to a connection.
pub(crate) struct Feed {
    pub subscriber: Subscriber,
    pub wire: Wire,
    /// The connection's presence, which ends with it.
    pub presence: Option<PresentConnection>,
}

/// What is left after [`Feed::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Nothing for now: the subscriber is woken when there is more.
    Waits,
    /// More, for which the subscriber is not woken.
    HasMore,
    /// Nothing, and nothing follows.
    Ended,
}

/// How the messages are written.
pub(crate) enum Wire {
    /// Server-sent events, one for each message.
    Events(Encoding),
    /// Text frames of a WebSocket, one for each message.
    Socket(Incoming),
    /// The events of Durable Streams.
    Stream(StreamWire),
    /// Text frames of a WebSocket for a page of LARC.
    Page { page: Box<PageSession>, incoming: Incoming },
}

/// What the client of a WebSocket may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    /// How long a message may be, in bytes.
    pub limit: usize,
    /// The network of the client, as [`liveline_proto::network`] gives it.
    pub network: u64,
}

/// The events of Durable Streams: batches of data, each with an event that has the position behind it.
#[derive(Debug)]
pub(crate) struct StreamWire {
    pub content: Content,
    /// The position behind what was written.
    pub position: Position,
    /// The cursor that the client has sent.
    pub cursor: Option<u64>,
    /// Something was written.
    pub has_begun: bool,
}

impl Feed {
    /// Moves bytes into `out`, about as many as a connection takes at a time.
    pub(super) fn fill(&mut self, out: &mut VecDeque<Bytes>) -> Filled {
        let mut deliveries = Vec::new();
        let taken = self.subscriber.take(BATCH_BYTES, &mut deliveries);
        match &mut self.wire {
            Wire::Events(encoding) => out.extend(deliveries.iter().map(|delivery| match delivery {
                Delivery::Message(message) => message.encoded(*encoding).clone(),
                Delivery::Gap(gap) => gap_event(gap),
            })),
            Wire::Socket(_) => out.extend(deliveries.iter().map(|delivery| match delivery {
                Delivery::Message(message) => message.encoded(Encoding::SocketFrame).clone(),
                Delivery::Gap(gap) => gap_frame(gap),
            })),
            Wire::Stream(stream) => stream.write(&deliveries, taken, out),
            Wire::Page { page, .. } => {
                if page.take(out).is_err() {
                    self.wire.end(End::Slow, out);
                    return Filled::Ended;
                }
                out.extend(deliveries.iter().map(|delivery| page_frame(page, delivery)));
            }
        }
        match taken {
            Taken::Ended(end) => {
                self.wire.end(end, out);
                Filled::Ended
            }
            Taken::Some => Filled::HasMore,
            Taken::All => Filled::Waits,
        }
    }
}

fn page_frame(page: &mut PageSession, delivery: &Delivery) -> Bytes {
    match delivery {
        Delivery::Message(message) => page.encode(message),
        Delivery::Gap(gap) => page.gap(gap_json(gap)),
    }
}

impl Feed {
    /// Does what the frames of a page ask for.
    pub(super) fn proceed(&mut self, out: &mut VecDeque<Bytes>) {
        let Wire::Page { page, .. } = &mut self.wire else { return };
        let outcome = page.proceed();
        self.carry_out(outcome, out);
    }

    /// Waits until a page that has to wait need not any more, and does what its frames ask for. Others wait for ever.
    pub(super) async fn waited(wire: &mut Wire) -> Outcome {
        match wire {
            Wire::Page { page, .. } => page.waited().await,
            _ => std::future::pending().await,
        }
    }

    pub(super) fn carry_out(&mut self, outcome: Outcome, out: &mut VecDeque<Bytes>) {
        let Wire::Page { page, .. } = &mut self.wire else { return };
        out.extend(outcome.out);
        if outcome.subscribes {
            let mut deliveries = Vec::new();
            match page.resubscribed(&self.subscriber, &mut deliveries) {
                Ok(subscriber) => self.subscriber = subscriber,
                Err(error) => out.push_back(page.error(&error.to_string())),
            }
            out.extend(deliveries.iter().map(|delivery| page_frame(page, delivery)));
        }
    }

    /// Whether the client may send more.
    pub(super) fn may_receive(&self) -> bool {
        match &self.wire {
            Wire::Page { page, .. } => page.may_receive(),
            _ => true,
        }
    }
}

impl Wire {
    /// What the client of a WebSocket may send.
    pub(super) fn incoming(&self) -> Option<Incoming> {
        match self {
            Wire::Socket(incoming) | Wire::Page { incoming, .. } => Some(*incoming),
            Wire::Events(_) | Wire::Stream(_) => None,
        }
    }

    /// Writes what comes before everything.
    pub(super) fn begin(&self, out: &mut Vec<u8>) {
        if let Wire::Events(_) = self {
            // The pause before an EventSource reconnects, in milliseconds; and some proxies wait for the body to begin.
            out.extend_from_slice(b"retry: 1000\n");
        }
    }

    /// Writes something without a meaning, so that an idle connection is not taken for dead.
    pub(super) fn ping(&self) -> Bytes {
        match self {
            Wire::Events(_) | Wire::Stream(_) => Bytes::from_static(b":\n\n"),
            Wire::Socket(_) | Wire::Page { .. } => Bytes::from_static(&[0x89, 0]),
        }
    }

    /// Writes that the process stops: the client connects again.
    pub(super) fn restart(&self, out: &mut VecDeque<Bytes>) {
        let mut bytes = Vec::new();
        if let Wire::Socket(_) | Wire::Page { .. } = self {
            websocket::close_frame(CloseCode::Restart.number(), "", &mut bytes);
        }
        out.push_back(bytes.into());
    }

    fn end(&self, end: End, out: &mut VecDeque<Bytes>) {
        let (code, reason) = match end {
            End::Closed => (CloseCode::Done, "the topic is closed"),
            End::Deleted => (CloseCode::Done, "the topic was deleted"),
            End::Slow => (CloseCode::TooSlow, "the client is too slow"),
        };
        let mut bytes = Vec::new();
        match self {
            // A client that was too slow continues where it was.
            Wire::Events(_) if end != End::Slow => {
                Format::Events.close(code.number(), reason, &mut bytes);
            }
            Wire::Socket(_) | Wire::Page { .. } => {
                websocket::close_frame(code.number(), reason, &mut bytes);
            }
            Wire::Events(_) | Wire::Stream(_) => {}
        }
        out.push_back(bytes.into());
    }
}

fn gap_json(gap: &Gap) -> serde_json::Value {
    json!({ "missed": gap.missed, "next": gap.next.to_string() })
}

fn gap_event(gap: &Gap) -> Bytes {
    format!("event: gap\nid: {}\ndata: {}\n\n", gap.next, gap_json(gap)).into()
}

fn gap_frame(gap: &Gap) -> Bytes {
    let mut bytes = Vec::new();
    let text = json!({ "gap": gap_json(gap) }).to_string();
    websocket::frame(websocket::Kind::Text, text.as_bytes(), &mut bytes);
    bytes.into()
}

impl StreamWire {
    fn write(&mut self, deliveries: &[Delivery], taken: Taken, out: &mut VecDeque<Bytes>) {
        let messages: Vec<&Message> = deliveries
            .iter()
            .filter_map(|delivery| match delivery {
                Delivery::Message(message) => Some(&**message),
                Delivery::Gap(_) => None,
            })
            .collect();
        if let Some(last) = messages.last() {
            self.position = last.id;
        }
        let is_closed = taken == Taken::Ended(End::Closed);
        if messages.is_empty() && !is_closed && self.has_begun {
            return;
        }
        self.has_begun = true;
        let mut bytes = Vec::new();
        if !messages.is_empty() {
            bytes.extend_from_slice(b"event: data\n");
            let data = match self.content {
                Content::Json => json_array(&messages),
                Content::Text => messages.iter().flat_map(|message| message.data.iter().copied()).collect(),
                Content::Binary => {
                    let whole: Vec<u8> =
                        messages.iter().flat_map(|message| message.data.iter().copied()).collect();
                    BASE64_STANDARD.encode(whole).into_bytes()
                }
            };
            for line in String::from_utf8_lossy(&data).replace("\r\n", "\n").split(['\n', '\r']) {
                bytes.extend_from_slice(b"data:");
                // One space behind the colon is not part of the value.
                if line.starts_with(' ') {
                    bytes.push(b' ');
                }
                bytes.extend_from_slice(line.as_bytes());
                bytes.push(b'\n');
            }
            bytes.push(b'\n');
        }
        let mut control = json!({ "streamNextOffset": self.position.to_string() });
        if is_closed {
            control["streamClosed"] = true.into();
        } else {
            control["streamCursor"] = cursor(self.cursor).to_string().into();
        }
        if taken != Taken::Some {
            control["upToDate"] = true.into();
        }
        bytes.extend_from_slice(format!("event: control\ndata:{control}\n\n").as_bytes());
        out.push_back(bytes.into());
    }
}

/// The messages of a topic of JSON, as an array.
pub(crate) fn json_array<M: std::borrow::Borrow<Message>>(messages: &[M]) -> Vec<u8> {
    let mut array = vec![b'['];
    for (n, message) in messages.iter().enumerate() {
        if n > 0 {
            array.push(b',');
        }
        array.extend_from_slice(&message.borrow().data);
    }
    array.push(b']');
    array
}

/// The number of the current interval, in which caches answer requests for the same position alike. It is always greater
/// than what the client has sent.
pub(crate) fn cursor(sent: Option<u64>) -> u64 {
    /// Seconds of an interval.
    const INTERVAL: u64 = 20;
    /// 9 October 2024, in seconds since 1970.
    const BEGINNING: u64 = 1_728_432_000;
    /// At most so many intervals are added where the client's is the current one.
    const JITTER: u64 = 180;
    let now = unix_time();
    let current = now.as_secs().saturating_sub(BEGINNING) / INTERVAL;
    match sent {
        Some(sent) if sent >= current => sent.saturating_add(1 + u64::from(now.subsec_nanos()) % JITTER),
        _ => current,
    }
}
