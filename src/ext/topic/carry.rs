//! Answers that carry a feed in place of a body.

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::http::{Answer, Carrier, Continuation, set_stream_headers};
use crate::topics::Feed;

/// A response whose body is the feed's events.
pub(super) fn events(feed: Feed) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    set_stream_headers(&mut answer.headers, "text/event-stream");
    carrying(answer, feed)
}

/// The WebSocket of a feed. Its handshake is completed where the request is known.
pub(super) fn socket(feed: Feed, protocol: Option<HeaderValue>) -> Answer {
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
