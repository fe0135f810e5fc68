//! How frames are encoded on a connection.

use liveline_proto::websocket::{self, Kind};
use liveline_proto::{Close, Format, Frame, Outgoing};

/// A frame of this many bytes is not copied but written from its own buffer.
const LARGE_BYTES: usize = 16 * 1024;

/// How frames are encoded on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As WebSocket frames, both ways.
    WebSocket,
    /// As WebSocket frames without envelopes.
    Raw,
    /// As a response of this format, to the client only. Bytes from the client are ignored.
    Events(Format),
}

impl Encoding {
    /// Encodes what was taken. A large frame at the end is returned instead, to be written after the bytes.
    pub(super) fn encode(self, outgoing: impl Iterator<Item = Outgoing>, out: &mut Vec<u8>) -> Option<Frame> {
        let mut tail: Option<Frame> = None;
        for outgoing in outgoing {
            // A large frame that is not the last is copied, so that later frames do not overtake it.
            if let Some(frame) = tail.take() {
                out.extend_from_slice(frame.as_bytes());
            }
            match self {
                Encoding::WebSocket | Encoding::Raw => tail = frame(outgoing, out),
                Encoding::Events(format) => match outgoing {
                    Outgoing::Frame(frame) | Outgoing::Numbered(_, frame) => format.frame(&frame, out),
                    Outgoing::Ping => format.ping(out),
                    Outgoing::Control(_) => {}
                },
            }
        }
        tail
    }

    pub(super) fn close(self, close: &Close, out: &mut Vec<u8>) {
        match self {
            Encoding::WebSocket | Encoding::Raw => {
                websocket::close_frame(close.code.number(), &close.reason, out);
            }
            Encoding::Events(format) => format.close(close.code.number(), &close.reason, out),
        }
    }
}

/// Encodes a WebSocket frame. Of a large one only the header; its payload is returned.
fn frame(outgoing: Outgoing, out: &mut Vec<u8>) -> Option<Frame> {
    let (number, payload) = match outgoing {
        Outgoing::Frame(frame) => (String::new(), frame),
        Outgoing::Numbered(number, frame) => (format!("{number} "), frame),
        Outgoing::Control(text) => (String::new(), text.into()),
        Outgoing::Ping => {
            websocket::frame(Kind::Ping, &[], out);
            return None;
        }
    };
    let kind = match payload {
        Frame::Text(_) => Kind::Text,
        Frame::Binary(_) => Kind::Binary,
        Frame::Ping(_) => Kind::Ping,
        Frame::Pong(_) => Kind::Pong,
    };
    websocket::header(kind, number.len() + payload.len(), out);
    out.extend_from_slice(number.as_bytes());
    if payload.len() >= LARGE_BYTES {
        return Some(payload);
    }
    out.extend_from_slice(payload.as_bytes());
    None
}
