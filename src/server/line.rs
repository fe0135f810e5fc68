//! Requests to the address of a line: a socket joins, events are told, and what cannot come by a socket comes by POST.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hyper::body::{Body as _, Incoming};
use hyper::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, ORIGIN, UPGRADE, VARY,
};
use hyper::http::HeaderMap;
use hyper::{Method, Request, StatusCode};

use super::connection::{Carried, Shared};
use super::upgrade;
use crate::ext::Held;
use crate::http::{Answer, asks_for_websocket, within};
use crate::trust::Requester;
use liveline_proto::Format;
use liveline_proto::{Attachment, Close, CloseCode, JoinError, Token, TransportKind, Visitor};

/// What may be done with a line's address.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// Answers a request to a line's address. Where the answer is a stream, `shared.carried` says so and it has no body.
pub(super) async fn answer(
    shared: &Shared,
    requester: Requester,
    token: &str,
    request: Request<Incoming>,
) -> Answer {
    let caller = Caller::of(shared, requester, request.headers());
    if asks_for_websocket(request.method(), request.headers()) {
        return upgrade::join(shared, &caller, token, &request);
    }
    let method = request.method().clone();
    let mut answer = match method {
        Method::GET if wants_events(request.headers()) => listen(shared, token, &caller),
        Method::GET => say(shared, token, &caller),
        Method::POST => send(shared, token, &caller, request.into_body()).await,
        Method::DELETE => close(shared, token, &caller, request.uri().query().unwrap_or_default()),
        Method::OPTIONS => preflight(),
        _ => {
            let mut answer =
                Answer::text(StatusCode::METHOD_NOT_ALLOWED, "Lines know GET, POST and DELETE.\n");
            answer.headers.insert(ALLOW, METHODS);
            answer
        }
    };
    if answer.status != StatusCode::FORBIDDEN {
        allow_origin(&mut answer.headers, caller.origin.as_deref());
    }
    answer
}

/// Who asks, and from where.
pub(super) struct Caller {
    pub visitor: Visitor,
    origin: Option<String>,
    /// What the origin is compared with.
    own: Option<String>,
    /// Its browser says itself that the page is of another origin.
    is_elsewhere: bool,
}

impl Caller {
    pub(super) fn of(shared: &Shared, requester: Requester, headers: &HeaderMap) -> Caller {
        let sessions = &shared.worker.settings.sessions;
        let session = sessions.of(headers).map(|id| sessions.name(&id));
        let visitor = Visitor { session, address: requester.address };
        let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("null").to_owned());
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_elsewhere = matches!(site, Some(b"cross-site" | b"same-site"));
        Caller { visitor, origin, own: own_origin(shared, requester, headers), is_elsewhere }
    }

    /// What the engine has to know of it.
    pub(super) fn of_line(&self) -> liveline_proto::Caller<'_> {
        let (origin, host) = (self.origin.as_deref(), self.own.as_deref());
        liveline_proto::Caller { visitor: &self.visitor, origin, host }
    }
}

/// The origin that a request is for. See [`Trust::own_origin`].
///
/// [`Trust::own_origin`]: crate::trust::Trust::own_origin
pub(super) fn own_origin(shared: &Shared, requester: Requester, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    shared.worker.settings.trust.own_origin(host, requester.is_secure)
}

pub(super) fn token(text: &str) -> Result<Token, JoinError> {
    text.parse().map_err(|_| JoinError::Unknown)
}

/// Whether the operator was told that pages are refused.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Tells the operator once that a page is refused which its browser takes for one of this server: then a proxy in between
/// says another name. Pages that are another's on all accounts are no news.
fn tell_of_origin(caller: &Caller) {
    let Caller { origin: Some(origin), own, is_elsewhere: false, .. } = caller else { return };
    if IS_TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    let own = own.as_deref().unwrap_or("none that can be read");
    tracing::warn!(
        "pages at {origin} are not live: their Origin is not that of this server, which is {own} by the requests' Host. \
         Where a proxy stands in between, have it pass the browser's Host on (nginx: proxy_set_header Host $http_host), \
         or start the server with --allow-origin {origin}"
    );
}

/// The answer to whoever may not use a line.
pub(super) fn refusal(shared: &Shared, caller: &Caller, error: JoinError) -> Answer {
    if error == JoinError::Origin {
        tell_of_origin(caller);
    }
    let status = match error {
        JoinError::Unknown => StatusCode::NOT_FOUND,
        JoinError::Origin | JoinError::Visitor => StatusCode::FORBIDDEN,
        // It crossed the end on its way; nobody did anything wrong.
        JoinError::Ended => return Answer::empty(StatusCode::NO_CONTENT),
    };
    // The answer says it to whoever asked; a stranger must not be able to fill the log.
    tracing::debug!("a request for a line from {} was refused: {error}", shared.peer.address);
    Answer::text(status, format!("{error}\n"))
}

/// The client listens to the line's events from now on.
fn listen(shared: &Shared, address: &str, caller: &Caller) -> Answer {
    let hub = &shared.worker.settings.hub;
    let joined =
        token(address).and_then(|token| hub.turn().join(token, TransportKind::Events, caller.of_line()));
    match joined {
        Ok(seat) => {
            let mut answer = Answer::empty(StatusCode::OK);
            carry(&mut answer.headers, Format::Envelopes);
            shared.carried.set(Some(Carried::Events(seat, Vec::new())));
            answer
        }
        Err(error) => refusal(shared, caller, error),
    }
}

/// The headers of a response that tells a line's events.
pub(super) fn carry(headers: &mut HeaderMap, format: Format) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    // What a proxy compresses comes when it has collected enough of it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // Proxies that collect responses would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// Takes a client's frames, one a line.
async fn send(shared: &Shared, address: &str, caller: &Caller, body: Incoming) -> Answer {
    let settings = &shared.worker.settings;
    let seat = match sender(shared, address, caller) {
        Ok(seat) => seat,
        Err(error) => return refusal(shared, caller, error),
    };
    let (bodies, patience) = (&settings.limits.bodies, settings.limits.answer);
    // Counted for as long as the frames wait for their handler.
    let mut held = bodies.budget.begin(caller.visitor.address, Instant::now());
    let bytes = match within(Instant::now() + patience, read(body, bodies.size, &mut held)).await {
        Some(Ok(bytes)) => bytes,
        Some(Err(refused)) => return refused,
        None => return Answer::text(StatusCode::REQUEST_TIMEOUT, "The frames did not come in time.\n"),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        settings.hub.turn().reject(seat, CloseCode::Unsupported.into());
        return Answer::text(StatusCode::BAD_REQUEST, "Frames are UTF-8 text.\n");
    };
    for frame in text.split('\n').map(str::trim).filter(|frame| !frame.is_empty()) {
        if frame.len() > settings.limits.frame {
            settings.hub.turn().reject(seat, CloseCode::TooBig.into());
            return Answer::too_large(settings.limits.frame);
        }
        // As a socket that is not read: its client waits for the handler.
        settings.hub.readable(seat).await;
        settings.hub.turn().receive(seat, frame);
    }
    Answer::empty(StatusCode::NO_CONTENT)
}

/// The client closes the line.
fn close(shared: &Shared, address: &str, caller: &Caller, query: &str) -> Answer {
    let seat = match sender(shared, address, caller) {
        Ok(seat) => seat,
        Err(error) => return refusal(shared, caller, error),
    };
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        percent_encoding::percent_decode_str(pair).decode_utf8().ok().map(|text| text.into_owned())
    };
    let code =
        value("code").and_then(|code| code.parse::<u16>().ok()).map_or(CloseCode::Done, CloseCode::from);
    let reason = value("reason").unwrap_or_default();
    shared.worker.settings.hub.turn().disconnected(seat, Close::because(code, reason));
    Answer::empty(StatusCode::NO_CONTENT)
}

fn sender(shared: &Shared, address: &str, caller: &Caller) -> Result<Attachment, JoinError> {
    let hub = &shared.worker.settings.hub;
    hub.turn().sender(token(address)?, caller.of_line())
}

/// A body of at most `limit` bytes. One that breaks off says nothing: its last frame may be half of one.
async fn read(mut body: Incoming, limit: usize, held: &mut Held) -> Result<Vec<u8>, Answer> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let broken = |_| Answer::text(StatusCode::BAD_REQUEST, "The frames broke off.\n");
        // What is no data is a trailer.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(Answer::too_large(limit));
        }
        held.grow(data.len(), Instant::now()).map_err(|_| Answer::too_busy())?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Says whether there is such a line: sockets do not tell browsers why they were refused.
fn say(shared: &Shared, address: &str, caller: &Caller) -> Answer {
    let hub = &shared.worker.settings.hub;
    let expected = token(address).and_then(|token| hub.turn().expects(token, caller.of_line()));
    match expected {
        Ok(()) => needs_socket(),
        Err(error) => refusal(shared, caller, error),
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

/// Lets the page that asked read the answer. Which pages may use a line at all is the engine's decision.
fn allow_origin(headers: &mut HeaderMap, origin: Option<&str>) {
    let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}
