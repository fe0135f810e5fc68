//! Answers that carry a feed in place of a body.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};

use crate::http::{Answer, Carrier, Continuation, set_stream_headers};
use crate::topics::Feed;

/// A response whose body is the feed's events.
pub(crate) fn events(feed: Feed) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    set_stream_headers(&mut answer.headers, "text/event-stream");
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    carrying(answer, feed)
}

/// The WebSocket of a feed. Its handshake is completed where the request is known.
pub(crate) fn socket(feed: Feed, protocol: Option<HeaderValue>) -> Answer {
    let mut answer = Answer::empty(StatusCode::SWITCHING_PROTOCOLS);
    if let Some(protocol) = protocol {
        answer.headers.insert(hyper::header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    carrying(answer, feed)
}

fn carrying(mut answer: Answer, feed: Feed) -> Answer {
    let carrier =
        Carrier::new(move |stream, head, read, place| Box::pin(feed.serve(stream, head, read, place)));
    answer.continuation = Some(Continuation::Carried(carrier));
    answer
}
