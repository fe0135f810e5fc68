//! What a request's client can follow, as far as its headers say.

use std::borrow::Cow;

use hyper::header::{
    ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use super::{Answer, AnswerBody};
use liveline_proto::{Format, LAST_EVENT_ID};
use liveline_proto::{LineId, Reach};

/// How an answer with more to come gets to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// It joins a line: it said `X-Accept-Live`, or gets a page, whose script does.
    Live,
    /// It asked for a stream, so the answer itself tells the events.
    Stream(Format),
    /// It asks for a WebSocket, to which its handler may answer with one.
    Socket,
    /// It understands one answer, the last.
    Plain,
}

impl Audience {
    /// Who sent this request.
    pub(crate) fn of(request: &Parts) -> Audience {
        let headers = &request.headers;
        if asks_for_websocket(&request.method, headers) {
            return Audience::Socket;
        }
        if request.method != Method::HEAD
            && let Some(format) = headers.get(ACCEPT).and_then(|accept| stream_in(accept.to_str().ok()?))
        {
            return Audience::Stream(format);
        }
        // `Sec-Fetch-Mode` says nothing of lines: Node, Deno and Bun send it, and so does a page's own `fetch()`.
        if headers.contains_key("x-accept-live") { Audience::Live } else { Audience::Plain }
    }

    /// Whether its stream of events ended for good, and it only asks because event sources do.
    pub(crate) fn has_all(request: &Parts) -> bool {
        request.headers.get("last-event-id").is_some_and(|id| id == LAST_EVENT_ID)
            && Audience::of(request) == Audience::Stream(Format::Events)
    }

    /// How far its exchange may go.
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

/// Whether a header's list has such a word.
pub(crate) fn lists(headers: &HeaderMap, name: HeaderName, is_wanted: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| is_wanted(word.trim()))
}

/// The first stream that an Accept header names. Browsers' navigations name none.
fn stream_in(accept: &str) -> Option<Format> {
    accept.split(',').find_map(|kind| match kind.split(';').next()?.trim() {
        "text/event-stream" => Some(Format::Events),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Format::Lines),
        _ => None,
    })
}

/// The answer goes on as a line; its connection tells the events after `first`.
#[derive(Debug, Clone)]
pub(crate) struct LineStream {
    pub line: LineId,
    pub format: Format,
    pub first: Vec<u8>,
}

/// A final answer as a stream that ends at once, or as it was where it is not data.
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

/// The status of a stream that begins with an answer. Not one that says there is nothing: here is the stream.
pub(crate) fn status_of_stream(status: StatusCode) -> StatusCode {
    match status {
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => StatusCode::OK,
        status => status,
    }
}

/// An answer's data as a stream's first event. `None` for what is not data; nothing for a 202, which has no state.
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
