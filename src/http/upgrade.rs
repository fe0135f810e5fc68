//! The moment when a client joins its line (RFC 6455 section 4.2).

use hyper::header::{
    CONNECTION, HOST, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use hyper::http::HeaderMap;
use hyper::{Method, Request, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::Shared;
use crate::engine::{JoinError, Token};
use crate::ops::Answer;

/// Answers a request for a line: 101 for the visitor that it belongs to, once.
pub fn join<B>(shared: &Shared, token: &str, request: &Request<B>) -> Answer {
    let headers = request.headers();
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_websocket(request)) else {
        let mut answer = Answer::text(
            StatusCode::UPGRADE_REQUIRED,
            "This is the address of a live line; connect a WebSocket.\n",
        );
        answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        return answer;
    };
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut answer = Answer::text(StatusCode::BAD_REQUEST, "Only WebSocket version 13 is spoken here.\n");
        answer.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return answer;
    }
    let settings = &shared.worker.settings;
    let joined = token.parse::<Token>().map_err(|_| JoinError::Unknown).and_then(|token| {
        let visitor = (settings.sessions.of(headers), shared.peer.ip());
        settings.hub.join(token, visitor, text(headers, &ORIGIN), text(headers, &HOST))
    });
    let line = match joined {
        Ok(line) => line,
        Err(error) => {
            let status = match error {
                JoinError::Unknown => StatusCode::NOT_FOUND,
                JoinError::Origin | JoinError::Visitor => StatusCode::FORBIDDEN,
            };
            tracing::warn!("a join from {} was refused: {error}", shared.peer.ip());
            return Answer::text(status, format!("{error}\n"));
        }
    };
    shared.joined.set(Some(line));
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    let accept = derive_accept_key(key.as_bytes());
    answer.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header value"));
    answer
}

fn is_websocket<B>(request: &Request<B>) -> bool {
    let lists = |name, wanted: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    request.method() == Method::GET && lists(CONNECTION, "upgrade") && lists(UPGRADE, "websocket")
}

fn text<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("null"))
}
