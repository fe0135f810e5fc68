//! The moment when a client joins its line with a WebSocket (RFC 6455 section 4.2).

use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::HeaderMap;
use hyper::{Request, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::{Carried, Shared};
use super::line::{self, Caller};
use crate::http::{Answer, lists};
use liveline_proto::TransportKind;

/// A client's half of the handshake.
pub(super) struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Reads what a request says (RFC 6455 section 4.2.1).
    pub(super) fn read(version: Version, headers: &HeaderMap) -> Result<Handshake, NoHandshake> {
        if version < Version::HTTP_11 {
            return Err(NoHandshake::Http);
        }
        if only(headers, SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(NoHandshake::Version);
        }
        let key = only(headers, SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
        let key = key.ok_or(NoHandshake::Key)?;
        let accept = derive_accept_key(key.as_bytes()).parse().expect("base64 is a header value");
        Ok(Handshake { accept })
    }

    /// The host's half: the headers of a 101.
    pub(super) fn accept(self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
    }
}

/// The value of a field that is there once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a text is 16 bytes in base64: 21 digits, one that ends in four bits of zero, and two signs of padding.
fn is_key(text: &[u8]) -> bool {
    let is_digit = |it: &u8| it.is_ascii_alphanumeric() || b"+/".contains(it);
    text.strip_suffix(b"==").is_some_and(|digits| {
        digits.len() == 22
            && digits.iter().all(is_digit)
            && digits.last().is_some_and(|it| b"AQgw".contains(it))
    })
}

/// Why a request is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoHandshake {
    #[error("A WebSocket handshake is a request of HTTP/1.1.")]
    Http,
    #[error("A WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64.")]
    Key,
    #[error("A WebSocket handshake needs one Sec-WebSocket-Version, which is 13 here.")]
    Version,
}

impl From<NoHandshake> for Answer {
    fn from(error: NoHandshake) -> Answer {
        let is_version = error == NoHandshake::Version;
        let status = if is_version { StatusCode::UPGRADE_REQUIRED } else { StatusCode::BAD_REQUEST };
        let mut answer = Answer::text(status, format!("{error}\n"));
        if is_version {
            answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
}

/// Answers a request for a line: 101 for the visitor that it belongs to, once.
pub(super) fn join<B>(shared: &Shared, caller: &Caller, token: &str, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let handshake = match Handshake::read(request.version(), headers) {
        Ok(handshake) => handshake,
        Err(error) => return error.into(),
    };
    let hub = &shared.worker.settings.hub;
    let is_resumable =
        lists(headers, SEC_WEBSOCKET_PROTOCOL, |protocol| protocol == liveline_proto::PROTOCOL);
    let joined = line::token(token).and_then(|token| match after(request) {
        Some(after) if is_resumable => hub.resume(token, after, caller.of_line()),
        _ if is_resumable => hub.join_resumable(token, caller.of_line()),
        _ => hub.turn().join(token, TransportKind::Socket, caller.of_line()),
    });
    let seat = match joined {
        Ok(seat) => seat,
        Err(error) => return line::refusal(shared, caller, error),
    };
    shared.carried.set(Some(Carried::Socket(seat)));
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    handshake.accept(&mut answer.headers);
    if is_resumable {
        answer.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(liveline_proto::PROTOCOL));
    }
    answer
}

/// The number of the last frame that a client has which comes again.
fn after<B>(request: &Request<B>) -> Option<u64> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        for key in ["dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==", "+/+/+/+/+/+/+/+/+/+/+w=="] {
            assert!(is_key(key.as_bytes()), "{key}");
        }
        for key in [
            "",
            "AA==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub2\u{e9}jZQ==",
            "dGhlIHNhbXBsZSBub-5jZQ==",
            "dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ==",
        ] {
            assert!(!is_key(key.as_bytes()), "{key}");
        }
    }
}
