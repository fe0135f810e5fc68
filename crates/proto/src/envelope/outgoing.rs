//! Frames that the host sends.

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::value::RawValue;

use super::wire::{Meta, Wire};

/// One encoded message. Clones share the bytes, so it is encoded once for any number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// An envelope, or the text of a raw socket.
    Text(ByteString),
    /// Binary data of a raw socket.
    Binary(Bytes),
    /// A ping of a raw socket, whose payload its handler has chosen.
    Ping(Bytes),
    /// A pong of a raw socket.
    Pong(Bytes),
}

impl Frame {
    /// The text; empty if the frame has none.
    pub fn as_str(&self) -> &str {
        match self {
            Frame::Text(text) => text,
            Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) => "",
        }
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes) => bytes,
        }
    }

    /// Bytes of payload.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&str> for Frame {
    fn from(text: &str) -> Frame {
        Frame::Text(text.into())
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Frame {
        Frame::Text(text.into())
    }
}

/// What surrounds the payload of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// The event's type at the receiver: `message`, `response.replace`, `confirm`, …
    pub kind: &'a str,
    /// The name of the message, to which replies and deltas refer.
    pub event_id: &'a str,
    /// Deltas of the payload follow, which name `event_id`.
    pub live: bool,
    /// The event bubbles at the receiver.
    pub bubbles: bool,
    /// How many reply ports come with the message.
    pub ports: u32,
}

impl Envelope<'_> {
    /// Encodes the frame around `payload`. `None` leaves the key out, which means `undefined`.
    pub fn encode(&self, payload: Option<&RawValue>) -> Frame {
        let Envelope { kind, event_id, live, bubbles, ports } = *self;
        let meta = Meta { r#type: kind.into(), event_id: event_id.into(), live, bubbles, ports };
        let wire = Wire { message: payload, meta, ping: None };
        serde_json::to_string(&wire).expect("strings, flags and checked JSON always encode").into()
    }
}

/// The answer to a client's connect ping `ping_id`, after which the client sends what it held back.
pub fn opened(ping_id: &str, event_id: &str) -> Frame {
    let open =
        serde_json::value::to_raw_value(&serde_json::json!({ "isOpen": true })).expect("a constant encodes");
    Envelope { kind: &format!("{ping_id}:0:message"), event_id, ..Default::default() }.encode(Some(&open))
}

/// The frame after the last state of a response.
pub fn response_done(event_id: &str) -> Frame {
    Envelope { kind: "response.done", event_id, ..Default::default() }.encode(Some(RawValue::NULL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encode_payload_and_meta() {
        let payload = serde_json::value::to_raw_value(&serde_json::json!({ "step": 2 })).unwrap();
        let frame =
            Envelope { kind: "response.replace", event_id: "r-1", live: true, bubbles: false, ports: 0 }
                .encode(Some(&payload));
        assert_eq!(
            frame.as_str(),
            r#"{"message":{"step":2},".wq":{"type":"response.replace","eventID":"r-1","live":true,"bubbles":false,"numPorts":0}}"#
        );
    }

    #[test]
    fn encode_undefined_leaves_the_key_out() {
        let frame = Envelope { kind: "message", event_id: "m-1", ..Default::default() }.encode(None);
        assert!(frame.as_str().starts_with(r#"{".wq":"#));
    }

    #[test]
    fn opened_answers_the_ping() {
        assert!(opened("message-1", "x").as_str().contains(r#""type":"message-1:0:message""#));
    }
}
