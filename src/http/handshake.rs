//! The opening handshake of a WebSocket (RFC 6455 section 4.2).

use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::http::HeaderMap;
use hyper::{StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Answer;

/// How many bytes long the messages of a socket's client may be, where the handler has a limit of its own. It is an
/// extension of the answer that opens the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongestMessage(pub usize);

/// A client's half of the handshake.
pub(crate) struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Reads a request (RFC 6455 section 4.2.1).
    pub(crate) fn read(version: Version, headers: &HeaderMap) -> Result<Handshake, HandshakeError> {
        if version < Version::HTTP_11 {
            return Err(HandshakeError::Http);
        }
        if only(headers, SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(HandshakeError::Version);
        }
        let key = only(headers, SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
        let key = key.ok_or(HandshakeError::Key)?;
        let accept = derive_accept_key(key.as_bytes()).parse().expect("base64 is a header value");
        Ok(Handshake { accept })
    }

    /// The host's half: the headers of a 101.
    pub(crate) fn accept(self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
    }
}

/// The value of a field that occurs once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a text is 16 bytes in base64: 21 digits, one whose last four bits are zero, and two characters of padding.
fn is_key(text: &[u8]) -> bool {
    let is_digit = |it: &u8| it.is_ascii_alphanumeric() || b"+/".contains(it);
    text.strip_suffix(b"==").is_some_and(|digits| {
        digits.len() == 22
            && digits.iter().all(is_digit)
            && digits.last().is_some_and(|it| b"AQgw".contains(it))
    })
}

/// Why a request is no valid handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("A WebSocket handshake is a request of HTTP/1.1.")]
    Http,
    #[error("A WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64.")]
    Key,
    #[error("A WebSocket handshake needs one Sec-WebSocket-Version, which is 13 here.")]
    Version,
}

impl From<HandshakeError> for Answer {
    fn from(error: HandshakeError) -> Answer {
        let is_version = error == HandshakeError::Version;
        let status = if is_version { StatusCode::UPGRADE_REQUIRED } else { StatusCode::BAD_REQUEST };
        let mut answer = Answer::text(status, format!("{error}\n"));
        if is_version {
            answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
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
