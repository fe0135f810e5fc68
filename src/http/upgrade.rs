//! The moment when a client joins its line with a WebSocket (RFC 6455 section 4.2).

use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::HeaderMap;
use hyper::{Method, Request, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::{Carried, Shared};
use super::line::{self, Caller};
use crate::engine::Carrier;
use crate::ops::Answer;
use crate::wire;

/// Answers a request for a line: 101 for the visitor that it belongs to, once.
pub fn join<B>(shared: &Shared, token: &str, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY) else {
        return Answer::text(StatusCode::BAD_REQUEST, "A WebSocket handshake needs Sec-WebSocket-Key.\n");
    };
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut answer = Answer::text(StatusCode::BAD_REQUEST, "Only WebSocket version 13 is spoken here.\n");
        answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return answer;
    }
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
    let accept = derive_accept_key(key.as_bytes());
    answer.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header value"));
    if is_resumable {
        answer.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(wire::PROTOCOL));
    }
    answer
}

/// The number of the last frame that a client has which comes again.
fn after<B>(request: &Request<B>) -> Option<u64> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok())
}

/// Whether a request asks for a WebSocket.
pub fn is_websocket<B>(request: &Request<B>) -> bool {
    let lists = |name, wanted: &str| lists(request.headers(), name, |word| word.eq_ignore_ascii_case(wanted));
    request.method() == Method::GET && lists(CONNECTION, "upgrade") && lists(UPGRADE, "websocket")
}

/// Whether a header's list has such a word.
fn lists(headers: &HeaderMap, name: HeaderName, is_wanted: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| is_wanted(word.trim()))
}
