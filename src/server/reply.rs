//! What a request leads to: a response, or another protocol on its connection.

use hyper::Response;

use crate::dev;
use crate::http::{Answer, AnswerBody, Carrier};
use liveline_proto::{Attachment, Format, LineId};

/// What the connection does for a request.
pub(super) enum Reply {
    /// It sends this and reads the next request.
    Respond(Response<AnswerBody>),
    /// It leaves HTTP.
    Upgrade(Upgrade),
}

/// What becomes of a connection that leaves HTTP.
pub(super) struct Upgrade {
    /// The head of the answer, and what else is sent first.
    pub head: Vec<u8>,
    pub protocol: Protocol,
}

/// What follows the head of an answer in place of HTTP.
pub(super) enum Protocol {
    /// The WebSocket of a client that has joined its line.
    Line(Attachment),
    /// The events of a line, as a response to the client that has joined it.
    Events(Attachment),
    /// The WebSocket of a handler that answered with one, and how long messages of its client may be, if the handler has
    /// a limit of its own.
    Raw(LineId, Option<usize>),
    /// The events of the line that the answer opened, in this format.
    Stream(LineId, Format),
    /// Something that serves the connection itself.
    Carried(Carrier),
    /// The messages of `dev` to a page.
    Dev(dev::Socket),
}

/// An answer on its way to the connection.
pub(super) struct Outgoing {
    pub answer: Answer,
    /// What follows its head, where that is no body.
    pub protocol: Option<Protocol>,
}

impl From<Answer> for Outgoing {
    fn from(answer: Answer) -> Outgoing {
        Outgoing { answer, protocol: None }
    }
}

impl Outgoing {
    pub(super) fn upgrade(answer: Answer, protocol: Protocol) -> Outgoing {
        Outgoing { answer, protocol: Some(protocol) }
    }
}

/// The head of an answer on the wire (RFC 9112 section 2.1).
pub(super) fn head_of(Answer { status, headers, .. }: &Answer) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}
