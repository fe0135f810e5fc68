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
    /// Reads what a request says, or makes the answer to one that is no handshake.
    pub fn read(headers: &HeaderMap) -> Result<Handshake, Answer> {
        let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
            let text = "A WebSocket handshake needs Sec-WebSocket-Key.\n";
            return Err(Answer::text(StatusCode::BAD_REQUEST, text));
        };
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            let text = "Only WebSocket version 13 is spoken here.\n";
            let mut answer = Answer::text(StatusCode::BAD_REQUEST, text);
            answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            return Err(answer);
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

/// Answers a request for a line: 101 for the visitor that it belongs to, once.
pub fn join<B>(shared: &Shared, token: &str, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let handshake = match Handshake::read(headers) {
        Ok(handshake) => handshake,
        Err(refused) => return refused,
    };
    let caller = Caller::of(shared, headers);
    let hub = &shared.worker.settings.hub;
    let (visitor, from) = (&caller.visitor, caller.origin_and_host());
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
