//! Frames a client sends.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A decoded client frame. Payloads stay JSON text: only JavaScript has a use for their values.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// `ping: "connect"`: the client listens now and wants an answer under this id.
    Connect { event_id: Cow<'a, str> },
    /// `ping: "disconnect"`: a sub-channel is no longer needed.
    Disconnect,
    /// An event for the handler. Its type may be an address: of a reply port, or of a channel.
    Message { kind: Cow<'a, str>, event_id: Cow<'a, str>, payload: Option<&'a RawValue>, ports: u32 },
}

/// Reply ports that one message may bring.
const MAX_PORTS: u32 = 16;

/// Why a client frame was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the frame is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, rename = ".wq")]
    meta: Meta<'a>,
    #[serde(borrow, default)]
    ping: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default = "default_kind")]
    r#type: Cow<'a, str>,
    #[serde(borrow, rename = "eventID", default)]
    event_id: Cow<'a, str>,
    #[serde(rename = "numPorts", default)]
    ports: u32,
}

fn default_kind() -> Cow<'static, str> {
    Cow::Borrowed("message")
}

/// Decodes one text frame. JSON without an envelope is a bare `message`, as the protocol's library sends it.
pub fn decode(text: &str) -> Result<Incoming<'_>, DecodeError> {
    let Ok(wire) = serde_json::from_str::<Wire>(text) else {
        let payload = serde_json::from_str::<&RawValue>(text)?;
        let (kind, event_id) = (default_kind(), Cow::Borrowed(""));
        return Ok(Incoming::Message { kind, event_id, payload: Some(payload), ports: 0 });
    };
    let Meta { r#type: kind, event_id, ports } = wire.meta;
    let ports = ports.min(MAX_PORTS);
    Ok(match wire.ping.as_deref() {
        Some("connect") => Incoming::Connect { event_id },
        Some(_) => Incoming::Disconnect,
        None => Incoming::Message { kind, event_id, payload: wire.message, ports },
    })
}

/// Splits `<eventID>:<port>:<type>`, the type of an answer on reply port `port` of the host's message `eventID`.
/// A channel whose name ends in a number has types of the same form (`room:7:message`); who is in it knows.
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
