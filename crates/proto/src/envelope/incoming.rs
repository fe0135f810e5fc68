//! Frames that a client sends.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::{Meta, Wire, default_type};

/// A decoded client frame. Payloads stay JSON text, which only JavaScript parses.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// `ping: "connect"`: the client listens from now on.
    Connect {
        /// The answer refers to this id.
        event_id: Cow<'a, str>,
    },
    /// `ping: "disconnect"`: a reply port is no longer needed.
    Disconnect,
    /// An event for the handler.
    Message {
        /// Its type, which may be an address: of a reply port, or of a channel.
        kind: Cow<'a, str>,
        /// The client's name for it.
        event_id: Cow<'a, str>,
        /// What it carries. `None` is `undefined`.
        payload: Option<&'a RawValue>,
        /// How many reply ports it brings, at most 16.
        ports: u32,
    },
}

/// How many reply ports one message may bring.
const MAX_PORTS: u32 = 16;

/// Why a client frame was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON.
    #[error("the frame is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// Decodes one text frame. JSON without an envelope is a bare `message`, which the protocol's own library sends, too.
///
/// # Errors
///
/// [`DecodeError::NotJson`] if the text is not JSON.
pub fn decode(text: &str) -> Result<Incoming<'_>, DecodeError> {
    let Ok(wire) = serde_json::from_str::<Wire>(text) else {
        let payload = serde_json::from_str::<&RawValue>(text)?;
        let (kind, event_id) = (default_type(), Cow::Borrowed(""));
        return Ok(Incoming::Message { kind, event_id, payload: Some(payload), ports: 0 });
    };
    let Meta { r#type: kind, event_id, ports, .. } = wire.meta;
    let ports = ports.min(MAX_PORTS);
    Ok(match wire.ping.as_deref() {
        Some("connect") => Incoming::Connect { event_id },
        Some(_) => Incoming::Disconnect,
        None => Incoming::Message { kind, event_id, payload: wire.message, ports },
    })
}

/// Splits `<eventID>:<port>:<type>`, the type of an answer on reply port `port` of the host's message `eventID`.
/// The types of a channel whose name ends in a number have the same form (`room:7:message`), so the caller looks for a
/// channel of the line first.
pub fn reply_address(kind: &str) -> Option<(&str, u32, &str)> {
    let mut parts = kind.rsplitn(3, ':');
    let (inner, port, request) = (parts.next()?, parts.next()?, parts.next()?);
    Some((request, port.parse().ok()?, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_connect_ping() {
        let text =
            r#"{".wq":{"type":"message","eventID":"message-1","numPorts":1},"ping":"connect","id":null}"#;
        assert!(matches!(decode(text).unwrap(), Incoming::Connect { event_id } if event_id == "message-1"));
    }

    #[test]
    fn decode_bare_json_is_a_message() {
        let Incoming::Message { kind, payload, .. } = decode(r#"{"hi":1}"#).unwrap() else { panic!() };
        assert_eq!((kind.as_ref(), payload.unwrap().get()), ("message", r#"{"hi":1}"#));
    }

    #[test]
    fn decode_reply_names_request_and_port() {
        let text = r#"{"message":true,".wq":{"type":"confirm-5:0:message","eventID":"x"}}"#;
        let Incoming::Message { kind, payload, .. } = decode(text).unwrap() else { panic!() };
        let (request, port, kind) = reply_address(&kind).unwrap();
        assert_eq!((request, port, kind, payload.unwrap().get()), ("confirm-5", 0, "message", "true"));
    }

    #[test]
    fn decode_channel_type_is_no_reply() {
        for kind in ["room:message", "room:a:b"] {
            let text = format!(r#"{{"message":1,".wq":{{"type":"{kind}","eventID":"x"}}}}"#);
            assert!(matches!(decode(&text).unwrap(), Incoming::Message { kind: k, .. } if k == kind));
            assert_eq!(reply_address(kind), None);
        }
    }

    #[test]
    fn decode_undefined_payload_is_none() {
        let text = r#"{".wq":{"type":"tick","eventID":"x"}}"#;
        assert!(matches!(decode(text).unwrap(), Incoming::Message { payload: None, .. }));
    }

    #[test]
    fn decode_many_ports_are_few() {
        let text = r#"{".wq":{"type":"x","eventID":"e","numPorts":4294967295}}"#;
        assert!(matches!(decode(text).unwrap(), Incoming::Message { ports: MAX_PORTS, .. }));
    }

    #[test]
    fn decode_ignores_the_flags_of_the_host() {
        let text = r#"{"message":1,".wq":{"type":"x","eventID":"e","live":"no flag","bubbles":7}}"#;
        assert!(matches!(decode(text).unwrap(), Incoming::Message { kind, .. } if kind == "x"));
    }

    #[test]
    fn decode_garbage_is_an_error() {
        assert!(decode("hello").is_err());
        assert!(decode("").is_err());
    }

    #[test]
    fn decode_odd_envelopes_never_panic() {
        for text in
            [r#"{".wq":1}"#, r#"{".wq":{"type":7}}"#, r#"{".wq":{},"ping":"disconnect"}"#, "[]", "null"]
        {
            decode(text).unwrap();
        }
    }
}
