//! Requests to the address of a line: a WebSocket joins it, a stream follows its events, a POST sends frames.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hyper::body::Body as _;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE, VARY,
};
use hyper::http::HeaderMap;
use hyper::{Method, Request, StatusCode};

use super::caller::Caller;
use super::reply::{Outgoing, Protocol};
use crate::config::Config;
use crate::ext::Held;
use crate::http::{
    Answer, EVENT_STREAM, Handshake, ReceivedBody, accepts, asks_for_websocket, lists, set_stream_headers,
    within,
};
use crate::trust::Requester;
use liveline_proto::{Attachment, Close, CloseCode, Format, JoinError, Token, TransportKind};

/// The methods of a line's address.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// Answers a request to a line's address.
pub(super) async fn answer(
    config: &Config,
    requester: Requester,
    address: &str,
    request: Request<ReceivedBody>,
) -> Outgoing {
    let caller = Caller::of(config, requester, request.headers());
    if asks_for_websocket(request.method(), request.headers()) {
        return join(config, &caller, address, &request);
    }
    let method = request.method().clone();
    let mut outgoing: Outgoing = match method {
        Method::GET if accepts(request.headers(), EVENT_STREAM) => listen(config, address, &caller),
        Method::GET => exists(config, address, &caller).into(),
        Method::POST => receive(config, address, &caller, request.into_body()).await.into(),
        Method::DELETE => close(config, address, &caller, request.uri().query().unwrap_or_default()).into(),
        Method::OPTIONS => preflight().into(),
        _ => {
            let mut answer =
                Answer::text(StatusCode::METHOD_NOT_ALLOWED, "Lines know GET, POST and DELETE.\n");
            answer.headers.insert(ALLOW, METHODS);
            answer.into()
        }
    };
    if outgoing.answer.status != StatusCode::FORBIDDEN {
        allow_origin(&mut outgoing.answer.headers, caller.origin.as_deref());
    }
    outgoing
}

/// Joins a line with a WebSocket: 101 for the visitor whose line it is.
fn join<B>(config: &Config, caller: &Caller, address: &str, request: &Request<B>) -> Outgoing {
    let headers = request.headers();
    let handshake = match Handshake::read(request.version(), headers) {
        Ok(handshake) => handshake,
        Err(error) => return Answer::from(error).into(),
    };
    let hub = &config.hub;
    let is_resumable =
        lists(headers, SEC_WEBSOCKET_PROTOCOL, |protocol| protocol == liveline_proto::PROTOCOL);
    let joined = token(address).and_then(|token| match after(request) {
        Some(after) if is_resumable => hub.resume(token, after, caller.of_line()),
        _ if is_resumable => hub.join_resumable(token, caller.of_line()),
        _ => hub.turn().join(token, TransportKind::Socket, caller.of_line()),
    });
    let attachment = match joined {
        Ok(attachment) => attachment,
        Err(error) => return refusal(caller, error).into(),
    };
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    handshake.accept(&mut answer.headers);
    if is_resumable {
        answer.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(liveline_proto::PROTOCOL));
    }
    Outgoing::upgrade(answer, Protocol::Line(attachment))
}

/// The number of the last frame that a client received before it lost its connection.
fn after<B>(request: &Request<B>) -> Option<u64> {
    request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok())
}

fn token(text: &str) -> Result<Token, JoinError> {
    text.parse().map_err(|_| JoinError::Unknown)
}

/// Whether the log has the warning about a refused origin.
static HAS_WARNED: AtomicBool = AtomicBool::new(false);

/// Warns once in the log where a page is refused that its browser does not call cross-origin: then a proxy in between
/// changes the `Host`. A page that its browser calls cross-origin is refused without a warning.
fn warn_of_origin(caller: &Caller) {
    let Caller { origin: Some(origin), own, is_cross_origin: false, .. } = caller else { return };
    if HAS_WARNED.swap(true, Ordering::Relaxed) {
        return;
    }
    let own = own.as_deref().unwrap_or("none that can be read");
    tracing::warn!(
        "pages at {origin} are not live: their Origin is not that of this server, which is {own} by the requests' Host. \
         Where a proxy stands in between, have it pass the browser's Host on (nginx: proxy_set_header Host $http_host), \
         or start the server with --allow-origin {origin}"
    );
}

/// The answer to a caller who may not use a line.
pub(super) fn refusal(caller: &Caller, error: JoinError) -> Answer {
    if error == JoinError::Origin {
        warn_of_origin(caller);
    }
    let status = match error {
        JoinError::Unknown => StatusCode::NOT_FOUND,
        JoinError::Origin | JoinError::Visitor => StatusCode::FORBIDDEN,
        // The request and the end of the line crossed on their way: not an error of the client.
        JoinError::Ended => return Answer::empty(StatusCode::NO_CONTENT),
    };
    // At debug level, because clients must not be able to fill the log.
    tracing::debug!("a request for a line from {} was refused: {error}", caller.visitor.address);
    Answer::text(status, format!("{error}\n"))
}

/// Joins a line with a stream of its events.
fn listen(config: &Config, address: &str, caller: &Caller) -> Outgoing {
    let joined = token(address)
        .and_then(|token| config.hub.turn().join(token, TransportKind::Events, caller.of_line()));
    match joined {
        Ok(attachment) => {
            let mut answer = Answer::empty(StatusCode::OK);
            set_stream_headers(&mut answer.headers, Format::Envelopes.media_type());
            Outgoing::upgrade(answer, Protocol::Events(attachment))
        }
        Err(error) => refusal(caller, error).into(),
    }
}

/// Receives a client's frames, one in each line of the body.
async fn receive(config: &Config, address: &str, caller: &Caller, body: ReceivedBody) -> Answer {
    let attachment = match sender(config, address, caller) {
        Ok(attachment) => attachment,
        Err(error) => return refusal(caller, error),
    };
    let (bodies, timeout) = (&config.bodies, config.isolate.answer);
    // Counts for the budget of bodies until the handler has the frames.
    let mut held = bodies.budget.begin(caller.visitor.address, Instant::now());
    let bytes = match within(Instant::now() + timeout, read(body, bodies.size, &mut held)).await {
        Some(Ok(bytes)) => bytes,
        Some(Err(refused)) => return refused,
        None => return Answer::text(StatusCode::REQUEST_TIMEOUT, "The frames did not come in time.\n"),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        config.hub.turn().reject(attachment, CloseCode::Unsupported.into());
        return Answer::text(StatusCode::BAD_REQUEST, "Frames are UTF-8 text.\n");
    };
    for frame in text.split('\n').map(str::trim).filter(|frame| !frame.is_empty()) {
        if frame.len() > config.connections.frame {
            config.hub.turn().reject(attachment, CloseCode::TooBig.into());
            return Answer::too_large(config.connections.frame);
        }
        // While the handler is behind, the client waits for its answer, as it would for a socket that is not read.
        config.hub.readable(attachment).await;
        config.hub.turn().receive(attachment, frame);
    }
    Answer::empty(StatusCode::NO_CONTENT)
}

/// The client closes the line.
fn close(config: &Config, address: &str, caller: &Caller, query: &str) -> Answer {
    let attachment = match sender(config, address, caller) {
        Ok(attachment) => attachment,
        Err(error) => return refusal(caller, error),
    };
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        percent_encoding::percent_decode_str(pair).decode_utf8().ok().map(|text| text.into_owned())
    };
    let code =
        value("code").and_then(|code| code.parse::<u16>().ok()).map_or(CloseCode::Done, CloseCode::from);
    let reason = value("reason").unwrap_or_default();
    config.hub.turn().disconnected(attachment, Close::because(code, reason));
    Answer::empty(StatusCode::NO_CONTENT)
}

fn sender(config: &Config, address: &str, caller: &Caller) -> Result<Attachment, JoinError> {
    config.hub.turn().sender(token(address)?, caller.of_line())
}

/// Reads a body of at most `limit` bytes. One that breaks off is refused whole, since its last frame may be half of one.
pub(super) async fn read(mut body: ReceivedBody, limit: usize, held: &mut Held) -> Result<Vec<u8>, Answer> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let broken = |_| Answer::text(StatusCode::BAD_REQUEST, "The frames broke off.\n");
        // A frame without data is a trailer.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Answer::too_large(limit));
        }
        held.grow(data.len(), Instant::now()).map_err(|_| Answer::too_busy())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Answers whether a line can be joined: a WebSocket that is refused does not show scripts why.
fn exists(config: &Config, address: &str, caller: &Caller) -> Answer {
    let expected = token(address).and_then(|token| config.hub.turn().expects(token, caller.of_line()));
    match expected {
        Ok(()) => needs_socket(),
        Err(error) => refusal(caller, error),
    }
}

fn needs_socket() -> Answer {
    let text = "This is the address of a live line; connect a WebSocket, or ask for text/event-stream.\n";
    let mut answer = Answer::text(StatusCode::UPGRADE_REQUIRED, text);
    answer.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer
}

fn preflight() -> Answer {
    let mut answer = Answer::empty(StatusCode::NO_CONTENT);
    answer.headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    answer
}

/// Lets the page that sent the request read the answer. Which pages may use a line is the registry's decision.
fn allow_origin(headers: &mut HeaderMap, origin: Option<&str>) {
    let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}
