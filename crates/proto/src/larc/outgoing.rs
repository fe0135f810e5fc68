//! Frames for pages, whose bytes are made once for all pages of a format.

use std::sync::OnceLock;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Wire;
use crate::websocket;

/// A frame for pages.
#[derive(Debug)]
pub struct Outgoing {
    kind: &'static str,
    payload: Box<RawValue>,
    frames: [OnceLock<Bytes>; 3],
}

impl Outgoing {
    /// A frame of this type with this payload.
    pub fn new<T: Serialize>(kind: &'static str, payload: &T) -> Outgoing {
        let payload =
            serde_json::value::to_raw_value(payload).expect("texts, numbers and checked JSON encode");
        Outgoing { kind, payload, frames: Default::default() }
    }

    /// A frame that informs a page of an error.
    pub fn error(message: &str) -> Outgoing {
        #[derive(Serialize)]
        struct Error<'a> {
            message: &'a str,
        }
        Outgoing::new("hub.error", &Error { message })
    }

    /// The answer to a ping.
    pub fn pong(wire: Wire) -> Bytes {
        let text = match wire {
            Wire::Pan => r#"{"topic":"sys.pong","data":{}}"#,
            Wire::Both | Wire::Book => r#"{"type":"pong","payload":{}}"#,
        };
        text_frame(text)
    }

    /// The frame of a WebSocket, with its header.
    pub fn frame(&self, wire: Wire) -> &Bytes {
        self.frames[wire as usize]
            .get_or_init(|| text_frame(&text(wire, self.kind, &self.payload, None, false)))
    }

    /// Bytes of the payload.
    pub fn cost(&self) -> usize {
        self.payload.get().len() + 64
    }

    /// The payload.
    pub fn payload(&self) -> &str {
        self.payload.get()
    }
}

fn text_frame(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 10);
    websocket::frame(websocket::Kind::Text, text.as_bytes(), &mut out);
    out.into()
}

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retain: bool,
}

/// A frame as text. Components of LARC read the payload of a frame that has a topic and no data, so that data stands
/// once in a frame of both formats.
pub(crate) fn text(wire: Wire, topic: &str, data: &RawValue, id: Option<&str>, retain: bool) -> String {
    let fields = match wire {
        Wire::Book => Fields { kind: Some(topic), payload: Some(data), topic: None, data: None, id, retain },
        Wire::Pan => Fields { kind: None, payload: None, topic: Some(topic), data: Some(data), id, retain },
        Wire::Both => {
            Fields { kind: Some(topic), payload: Some(data), topic: Some(topic), data: None, id, retain }
        }
    };
    serde_json::to_string(&fields).expect("texts and checked JSON encode")
}

/// [`text`] as the frame of a WebSocket.
pub(crate) fn message_frame(wire: Wire, topic: &str, data: &RawValue, id: &str, retain: bool) -> Bytes {
    text_frame(&text(wire, topic, data, Some(id), retain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_fields_of_its_format() {
        let data = RawValue::from_string(r#"{"a":1}"#.to_owned()).unwrap();
        let of = |wire| text(wire, "chat.message", &data, Some("1"), true);
        assert_eq!(of(Wire::Book), r#"{"type":"chat.message","payload":{"a":1},"id":"1","retain":true}"#);
        assert_eq!(of(Wire::Pan), r#"{"topic":"chat.message","data":{"a":1},"id":"1","retain":true}"#);
        let both = of(Wire::Both);
        assert_eq!(
            both,
            r#"{"type":"chat.message","payload":{"a":1},"topic":"chat.message","id":"1","retain":true}"#
        );
    }

    #[test]
    fn bytes_of_a_frame_are_made_once() {
        let frame = Outgoing::error("no");
        assert_eq!(frame.frame(Wire::Book).as_ptr(), frame.frame(Wire::Book).as_ptr());
        let bytes = frame.frame(Wire::Pan);
        assert_eq!(&bytes[2..], br#"{"topic":"hub.error","data":{"message":"no"}}"#);
        assert_eq!(bytes[0], 0x81);
    }
}
