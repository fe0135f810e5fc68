//! A message, and its bytes in each wire format, which are made once for all subscribers.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Filter, Position, TopicName};
use crate::larc::{self, Wire};
use crate::{Envelope, Frame, sse};

/// What the data of a topic's messages is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON text.
    Json,
    /// Other text.
    Text,
    /// Bytes.
    Binary,
}

impl Content {
    /// By the media type of a topic.
    pub fn of(media_type: &str) -> Content {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Content::Json
        } else if essence.len() > 5 && essence[..5].eq_ignore_ascii_case("text/") {
            Content::Text
        } else {
            Content::Binary
        }
    }
}

/// How a message is written for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A server-sent event with the data, and the position in its topic as its id.
    Event,
    /// A server-sent event with `{"topic","data","retain"}` and the position in the hub as its id, for clients that
    /// follow several topics.
    SharedEvent,
    /// A text frame of a WebSocket, with its header: `{"topic","id","event","data"}`.
    SocketFrame,
    /// A server-sent event with the data, the position in the hub as its id, and the name of its event or topic, for
    /// pages of LARC.
    NamedEvent,
    /// A text frame of a WebSocket for pages of LARC, with its header.
    Page(Wire),
}

/// Encodings that messages have in any project.
const ENCODINGS: usize = 3;

/// Encodings for pages of LARC.
const PAGE_ENCODINGS: usize = 4;

/// Names of events that mean something else to the classes of LARC's pages, or to an `EventSource`.
const UNNAMED: [&str; 6] = ["message", "connected", "disconnected", "error", "open", "gap"];

/// A message of a topic.
#[derive(Debug)]
pub struct Message {
    /// Its topic.
    pub topic: TopicName,
    /// The position behind it.
    pub id: Position,
    /// The position behind it among the messages of all topics.
    pub shared_id: Position,
    /// The name of its event.
    pub event: Option<Box<str>>,
    /// Distinguishes it from others of the topic: a second message with the key is a duplicate.
    pub key: Option<Box<str>>,
    /// What it carries.
    pub data: Bytes,
    /// What its data is.
    pub content: Content,
    /// It is kept for later subscribers.
    pub is_retained: bool,
    /// It is the last of those that were published together.
    pub ends_batch: bool,
    /// Which subscribers receive it; all if `None`.
    pub filter: Option<Filter>,
    /// The connection that it came from, which does not receive it.
    pub origin: Option<u64>,
    /// Bytes of all messages of the topic before this one.
    pub(super) bytes_before: u64,
    pub(super) encoded: Encoded,
}

/// The bytes of a message that were made.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    bytes: [OnceLock<Bytes>; ENCODINGS],
    frame: OnceLock<Frame>,
    pages: OnceLock<Box<ForPages>>,
}

/// What pages of LARC receive of a message.
#[derive(Debug, Default)]
struct ForPages {
    bytes: [OnceLock<Bytes>; PAGE_ENCODINGS],
    fingerprint: OnceLock<u64>,
}

/// What a message costs besides its data, in bytes.
pub(super) const MESSAGE_COST: usize = 256;

impl Message {
    /// Bytes that it counts for.
    pub fn cost(&self) -> usize {
        self.data.len() + self.event.as_ref().map_or(0, |event| event.len()) + MESSAGE_COST
    }

    /// Its bytes for a client, which are made once.
    pub fn encoded(&self, encoding: Encoding) -> &Bytes {
        let bytes = match encoding {
            Encoding::Event => &self.encoded.bytes[0],
            Encoding::SharedEvent => &self.encoded.bytes[1],
            Encoding::SocketFrame => &self.encoded.bytes[2],
            Encoding::NamedEvent => &self.for_pages().bytes[0],
            Encoding::Page(wire) => &self.for_pages().bytes[1 + wire as usize],
        };
        bytes.get_or_init(|| {
            let mut out = Vec::with_capacity(self.data.len() + 96);
            match encoding {
                Encoding::Event => self.event(&self.id, &self.text(), &mut out),
                Encoding::SharedEvent => self.event(&self.shared_id, &self.shared(None), &mut out),
                Encoding::SocketFrame => {
                    let text = self.shared(Some(&self.id));
                    crate::websocket::frame(crate::websocket::Kind::Text, text.as_bytes(), &mut out);
                }
                Encoding::NamedEvent => {
                    let name = self.event.as_deref().unwrap_or(self.topic.as_str());
                    let name = (!UNNAMED.contains(&name)).then_some(name);
                    sse::text_event(name, Some(&self.shared_id.to_string()), &self.text(), &mut out);
                }
                Encoding::Page(wire) => {
                    let (id, data) = (self.shared_id.to_string(), self.json());
                    return larc::message_frame(wire, self.topic.as_str(), &data, &id, self.is_retained);
                }
            }
            out.into()
        })
    }

    fn for_pages(&self) -> &ForPages {
        self.encoded.pages.get_or_init(Box::default)
    }

    /// The fingerprint of its topic and data, by which pages of LARC recognise it.
    pub fn fingerprint(&self) -> u64 {
        let compute = || larc::fingerprint(self.topic.as_str(), self.json().get());
        *self.for_pages().fingerprint.get_or_init(compute)
    }

    /// A frame of a line that makes its data the state of the response, made once.
    pub fn state_frame(&self) -> &Frame {
        self.encoded.frame.get_or_init(|| {
            let id = self.id.to_string();
            let state = State { body: &self.json(), status: 200, headers: Headers {} };
            let payload = raw(&state);
            Envelope { kind: "response.replace", event_id: &id, ..Default::default() }.encode(Some(&payload))
        })
    }

    fn event(&self, id: &Position, data: &str, out: &mut Vec<u8>) {
        sse::text_event(self.event.as_deref(), Some(&id.to_string()), data, out);
    }

    /// The data as the text of an event: bytes as base64.
    fn text(&self) -> String {
        match self.content {
            Content::Json | Content::Text => String::from_utf8_lossy(&self.data).into_owned(),
            Content::Binary => BASE64_STANDARD.encode(&self.data),
        }
    }

    /// The data as JSON: text and base64 as strings.
    pub fn json(&self) -> Box<RawValue> {
        if self.content == Content::Json
            && let Ok(text) = std::str::from_utf8(&self.data)
            && let Ok(json) = serde_json::from_str::<&RawValue>(text)
        {
            return json.to_owned();
        }
        raw(&self.text())
    }

    fn shared(&self, id: Option<&Position>) -> String {
        let (data, id) = (self.json(), id.map(Position::to_string));
        let wire = Shared {
            topic: self.topic.as_str(),
            id: id.as_deref(),
            event: self.event.as_deref(),
            data: &data,
            retain: self.is_retained,
        };
        serde_json::to_string(&wire).expect("text and checked JSON encode")
    }

    /// A copy for another topic that continues this one's.
    pub(super) fn copied(&self, topic: &TopicName, data: Bytes, bytes_before: u64) -> Arc<Message> {
        Arc::new(Message {
            topic: topic.clone(),
            id: self.id,
            shared_id: self.shared_id,
            event: self.event.clone(),
            key: self.key.clone(),
            data,
            content: self.content,
            is_retained: self.is_retained,
            ends_batch: self.ends_batch,
            filter: self.filter.clone(),
            origin: self.origin,
            bytes_before,
            encoded: Encoded::default(),
        })
    }
}

#[derive(Serialize)]
struct Shared<'a> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retain: bool,
}

#[derive(Serialize)]
struct State<'a> {
    body: &'a RawValue,
    status: u16,
    headers: Headers,
}

#[derive(Serialize)]
struct Headers {}

fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("text and checked JSON encode")
}
