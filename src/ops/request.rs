//! What a request said. Half of `runtime-js/11_request.js`.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use deno_core::{OpState, op2, v8};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{HOST, HeaderMap, HeaderValue};

use super::exchange::{BodyFault, exchange_id};
use super::{Exchanges, OpError, Patience, within};
use crate::engine::{Refused, is_same_origin};
use crate::trust::Authority;

/// The full URL: at the site's origin where that is fixed, else at the host that the visitor named.
#[op2]
pub fn op_request_url<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let trust = exchanges.trust.clone();
    let slot = exchanges.known(id)?;
    let head = slot.request.parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = match &trust.origin {
        Some(origin) => [&origin.text, path].concat(),
        None => {
            let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            let scheme = if trust.is_secure(slot.requester.is_secure) { "https://" } else { "http://" };
            [scheme, host, path].concat()
        }
    };
    Ok(match url.is_ascii() {
        true => byte_string(scope, url.as_bytes()),
        false => v8::String::new(scope, &url).map_or_else(|| v8::null(scope).into(), Into::into),
    })
}

/// Whether an origin leads to this server: the site's, that of the host that the visitor named, or the listener's.
#[op2(fast)]
pub fn op_request_is_own(state: &mut OpState, id: f64, #[string] origin: &str) -> Result<bool, OpError> {
    let exchanges = state.borrow_mut::<Exchanges>();
    let trust = exchanges.trust.clone();
    let slot = exchanges.known(id)?;
    let head = slot.request.parts();
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let listens = origin.strip_prefix("http://").and_then(Authority::parse);
    Ok(trust.origin.as_ref().is_some_and(|own| own.text == origin)
        || named.is_some_and(|named| is_same_origin(origin, named))
        || listens.is_some_and(|authority| trust.listens_at(&authority)))
}

/// All headers.
#[op2]
#[string]
pub fn op_request_headers(state: &mut OpState, id: f64) -> Result<String, OpError> {
    Ok(write_headers(&state.borrow_mut::<Exchanges>().known(id)?.request.parts().headers))
}

/// One header; null where it is absent.
#[op2]
pub fn op_request_header<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
    #[string] name: &str,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let head = state.borrow_mut::<Exchanges>().known(id)?.request.parts();
    let headers = &head.headers;
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    // Most names have one value, which then is copied once.
    Ok(match (values.next(), values.next()) {
        (None, _) => v8::null(scope).into(),
        (Some(only), None) => byte_string(scope, only),
        (Some(first), Some(second)) => {
            let all: Vec<_> = [first, second].into_iter().chain(values).collect();
            byte_string(scope, &all.join(&b", "[..]))
        }
    })
}

/// The address that the request came from.
#[op2]
#[string]
pub fn op_request_peer(state: &mut OpState, id: f64) -> Result<String, OpError> {
    Ok(state.borrow_mut::<Exchanges>().known(id)?.requester.address.to_string())
}

/// Whether there is a body to read.
#[op2(fast)]
pub fn op_request_has_body(state: &mut OpState, id: f64) -> Result<bool, OpError> {
    let slot = state.borrow_mut::<Exchanges>().known(id)?;
    Ok(slot.body.as_ref().is_some_and(|body| !body.is_end_stream()))
}

/// The next chunk of the body; null at its end.
#[op2]
#[buffer]
pub async fn op_request_read(state: Rc<RefCell<OpState>>, id: f64) -> Result<Option<Vec<u8>>, OpError> {
    let (body, mut patience, limit) = {
        let mut state = state.borrow_mut();
        let exchanges = state.borrow_mut::<Exchanges>();
        let (limit, most) = (exchanges.max_body(), exchanges.body_patience());
        let slot = exchanges.slot(exchange_id(id)).ok_or(Refused::Ended)?;
        let patience = slot.body_patience.take().map_or_else(|| Patience::new(most), |patience| *patience);
        (slot.body.take(), patience, limit)
    };
    let Some(mut body) = body else { return Ok(None) };
    let read = loop {
        match next_frame(&mut body, &mut patience).await {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                if let Ok(data) = frame.into_data() {
                    break Ok(data);
                }
            }
            Err(fault) => break Err(fault),
        }
    };
    let mut state = state.borrow_mut();
    let exchanges = state.borrow_mut::<Exchanges>();
    let slot = exchanges.slot(exchange_id(id)).ok_or(Refused::Ended)?;
    let data = read.map_err(|(fault, error)| {
        slot.body_fault = Some(fault);
        error
    })?;
    slot.body_patience = patience.is_spent().then(|| Box::new(patience));
    slot.body_read += data.len();
    if slot.body_read > limit {
        slot.body_fault = Some(BodyFault::TooLarge);
        return Err(OpError::RequestTooLarge(limit));
    }
    slot.body = Some(body);
    Ok(Some(data.into()))
}

/// The next part of a body, waited for as long as its client may keep the reader waiting.
async fn next_frame(
    body: &mut Incoming,
    patience: &mut Patience,
) -> Result<Option<Frame<Bytes>>, (BodyFault, OpError)> {
    let mut next = std::pin::pin!(std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
    let frame = match std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            let deadline = patience.wait(Instant::now());
            match within(deadline, next).await {
                Some(frame) => frame,
                None => return Err((BodyFault::Late, OpError::RequestBody("it came too slowly".into()))),
            }
        }
    };
    let frame = frame.transpose().map_err(|it| (BodyFault::Broken, OpError::RequestBody(it.to_string())))?;
    if patience.is_waiting() {
        let bytes = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        patience.moved(bytes, Instant::now());
    }
    Ok(frame)
}

/// A list of headers as JavaScript reads it: a line for each name and each value.
pub(super) fn write_headers(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        text += name.as_str();
        text.push('\n');
        text.extend(value.as_bytes().iter().copied().map(char::from));
        text.push('\n');
    }
    text
}

/// JavaScript's byte strings: one UTF-16 unit to each byte.
fn byte_string<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: &[u8]) -> v8::Local<'s, v8::Value> {
    // Heads are far shorter than V8's strings can be.
    let string = v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal);
    string.map_or_else(|| v8::null(scope).into(), Into::into)
}
