//! The moment when a client joins its line with a WebSocket (RFC 6455 section 4.2).

use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::HeaderMap;
use hyper::{Request, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::{Carried, Shared};
use super::line::{self, Caller};
use crate::engine::Carrier;
use crate::ops::{Answer, lists};
use crate::wire;

/// A client's half of the handshake.
pub struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Reads what a request says.
    pub fn read(headers: &HeaderMap) -> Result<Handshake, NoHandshake> {
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoHandshake::Key)?;
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(NoHandshake::Version);
        }
        let accept = derive_accept_key(key.as_bytes()).parse().expect("base64 is a header value");
        Ok(Handshake { accept })
    }

    /// The host's half: the headers of a 101.
    pub fn accept(self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
    }
}

/// Why a request is no handshake.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum NoHandshake {
    #[error("A WebSocket handshake needs Sec-WebSocket-Key.")]
    Key,
    #[error("Only WebSocket version 13 is spoken here.")]
    Version,
}

impl From<NoHandshake> for Answer {
    fn from(error: NoHandshake) -> Answer {
        let mut answer = Answer::text(StatusCode::BAD_REQUEST, format!("{error}\n"));
        if matches!(error, NoHandshake::Version) {
            answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        answer
    }
}

/// Answers a request for a line: 101 for the visitor that it belongs to, once.
pub fn join<B>(shared: &Shared, caller: &Caller, token: &str, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let handshake = match Handshake::read(headers) {
        Ok(handshake) => handshake,
        Err(error) => return error.into(),
    };
    let hub = &shared.worker.settings.hub;
    let (visitor, from) = (&caller.visitor, caller.origin_and_own());
    let is_resumable = lists(headers, SEC_WEBSOCKET_PROTOCOL, |protocol| protocol == wire::PROTOCOL);
    let joined = line::token(token).and_then(|token| match after(request) {
        Some(after) if is_resumable => hub.resume(token, after, visitor, from),
        _ if is_resumable => hub.join_resumable(token, visitor, from),
        _ => hub.join(token, Carrier::Socket, visitor, from),
    });
    let seat = match joined {
        Ok(seat) => seat,
        Err(error) => return line::refusal(shared, error),
    };
    shared.carried.set(Some(Carried::Socket(seat)));
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    handshake.accept(&mut answer.headers);
    if is_resumable {
        answer.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(wire::PROTOCOL));
    }
    answer
}

/// The number of the last frame that a client has which comes again.
fn after<B>(request: &Request<B>) -> Option<u64> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok())
}
