//! Frames the host sends.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::value::RawValue;

/// One encoded message. Cloning shares the bytes, so it is encoded once for any number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(ByteString),
    /// Only raw sockets send these.
    Binary(Bytes),
}

impl Frame {
    /// The text; nothing if it is binary.
    pub fn as_str(&self) -> &str {
        match self {
            Frame::Text(text) => text,
            Frame::Binary(_) => "",
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes,
        }
    }

    /// Bytes of payload.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

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

/// What a frame says besides its payload.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// Event type at the receiver: `message`, `response.replace`, `confirm`, …
    pub kind: &'a str,
    /// Names this message, so that replies and deltas can refer to it.
    pub event_id: &'a str,
    /// The receiver should bind the payload to the deltas that follow under `event_id`.
    pub live: bool,
    /// The event bubbles at the receiver.
    pub bubbles: bool,
    /// How many reply ports come with the message.
    pub ports: u32,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
    #[serde(rename = ".wq")]
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    r#type: &'a str,
    #[serde(rename = "eventID")]
    event_id: &'a str,
    live: bool,
    bubbles: bool,
    #[serde(rename = "numPorts")]
    ports: u32,
}

impl Envelope<'_> {
    /// Encodes the frame around `payload`. `None` leaves the key out, which is how the protocol says `undefined`.
    pub fn encode(&self, payload: Option<&RawValue>) -> Frame {
        let Envelope { kind, event_id, live, bubbles, ports } = *self;
        let wire = Wire { message: payload, meta: Meta { r#type: kind, event_id, live, bubbles, ports } };
        serde_json::to_string(&wire).expect("strings, flags and checked JSON always encode").into()
    }
}

/// The answer to a client's connect ping `ping_id`: from here on the client sends what it held back.
pub fn opened(ping_id: &str, event_id: &str) -> Frame {
    let open =
        serde_json::value::to_raw_value(&serde_json::json!({ "isOpen": true })).expect("a constant encodes");
    Envelope { kind: &format!("{ping_id}:0:message"), event_id, ..Default::default() }.encode(Some(&open))
}

/// The frame that says the response has had its last state.
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
