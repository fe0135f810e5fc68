//! What a request's client can follow, as far as its headers show.

use std::borrow::Cow;

use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::negotiation::stream_format;
use super::{Answer, AnswerBody};
use liveline_proto::{Format, LAST_EVENT_ID};
use liveline_proto::{LineId, Reach};

// A name that is a text is parsed for each request.
const ACCEPT_LIVE: HeaderName = HeaderName::from_static("x-accept-live");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// How a client receives what follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// It joins a line: it sent `X-Accept-Live`, or gets a page whose script joins.
    Live,
    /// It asked for a stream, so the events are in the body of the answer.
    Stream(Format),
    /// It asks for a WebSocket, to which its handler may answer with one.
    Socket,
    /// It gets one answer, the last.
    Plain,
}

impl Audience {
    /// The audience of a request.
    pub(crate) fn of(request: &Parts) -> Audience {
        let headers = &request.headers;
        if asks_for_websocket(&request.method, headers) {
            return Audience::Socket;
        }
        if request.method != Method::HEAD
            && let Some(format) = stream_format(headers)
        {
            return Audience::Stream(format);
        }
        // `Sec-Fetch-Mode` is no sign of it: Node, Deno and Bun send that, and so does a page's own `fetch()`.
        if headers.contains_key(ACCEPT_LIVE) { Audience::Live } else { Audience::Plain }
    }

    /// Whether its stream of events has ended for good, and its `EventSource` only connects again.
    pub(crate) fn has_all(request: &Parts) -> bool {
        request.headers.get(LAST_EVENT).is_some_and(|id| id == LAST_EVENT_ID)
            && Audience::of(request) == Audience::Stream(Format::Events)
    }

    /// How far its exchange may go: to a line, or to one answer.
    pub(crate) fn reach(self) -> Reach {
        match self {
            Audience::Live | Audience::Stream(_) => Reach::Line,
            Audience::Socket | Audience::Plain => Reach::Final,
        }
    }
}

/// Whether a request asks for a WebSocket (RFC 6455 section 4.2.1).
pub(crate) fn asks_for_websocket(method: &Method, headers: &HeaderMap) -> bool {
    let lists = |name, wanted: &str| lists(headers, name, |word| word.eq_ignore_ascii_case(wanted));
    method == Method::GET && lists(UPGRADE, "websocket") && lists(CONNECTION, "upgrade")
}

/// Whether a header's list has a word that is wanted.
pub(crate) fn lists(headers: &HeaderMap, name: HeaderName, is_wanted: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| is_wanted(word.trim()))
}

/// The headers of a response that carries events, and does not end.
pub(crate) fn set_stream_headers(headers: &mut HeaderMap, media_type: &'static str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A proxy that compresses would hold events back until it has enough of them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // And so would a proxy that buffers responses.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// The events of a line that its answer carries, after the bytes in `first`.
#[derive(Debug, Clone)]
pub(crate) struct LineStream {
    pub line: LineId,
    pub format: Format,
    pub first: Vec<u8>,
}

/// A final answer as a stream that ends at once. An answer that is not data stays as it is.
pub(crate) fn as_stream(mut answer: Answer, format: Format) -> Answer {
    let Some(first) = first_state(&answer, format) else { return answer };
    let mut body = first;
    format.close(1000, "done", &mut body);
    answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    answer.headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store, no-transform"));
    answer.status = status_of_stream(answer.status);
    answer.body = AnswerBody::Data(body.into());
    answer
}

/// The status of a stream that begins with an answer: a status without a body becomes 200.
pub(crate) fn status_of_stream(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => StatusCode::OK,
        status => status,
    }
}

/// An answer's data as a stream's first event. `None` if it is not data; empty for a 202, which has no state.
pub(crate) fn first_state(answer: &Answer, format: Format) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    if answer.status == StatusCode::ACCEPTED && matches!(answer.body, AnswerBody::Empty) {
        return Some(out);
    }
    if !answer.status.is_success() {
        return None;
    }
    format.state(&json_of(&answer.headers, &answer.body)?, &mut out);
    Some(out)
}

fn json_of<'a>(headers: &HeaderMap, body: &'a AnswerBody) -> Option<Cow<'a, str>> {
    let data = match body {
        AnswerBody::Empty => return Some("null".into()),
        AnswerBody::Data(data) => std::str::from_utf8(data).ok()?,
        AnswerBody::Stream(..) | AnswerBody::File(_) => return None,
    };
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
    match kind {
        "application/json" => Some(data.into()),
        "text/plain" => Some(serde_json::Value::from(data).to_string().into()),
        _ => None,
    }
}
