//! The URL, headers and body of a request. Half of `runtime-js/request.js`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use deno_core::{OpState, ToV8, op2, v8};
use deno_error::JsErrorBox;
use hyper::body::{Body as _, Frame};
use hyper::header::{HOST, HeaderMap};

use super::bodies::Held;
use super::exchange::{BodyFault, ExchangeState, Slot};
use super::{BodyLimits, Memory, OpError};
use crate::http::{ReceivedBody, StallTimeout, within};
use crate::trust::Authority;
use liveline_proto::is_same_origin;

/// The full URL, with the origin of the site if one is configured, else with the host of the `Host` header.
#[op2]
pub(crate) fn op_request_url<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    URL.with_borrow_mut(|url| {
        url.clear();
        write_url(state, id, url)?;
        Ok(match url.is_ascii() {
            true => byte_string(scope, url.as_bytes()),
            false => v8::String::new(scope, url).map_or_else(|| v8::null(scope).into(), Into::into),
        })
    })
}

thread_local! {
    /// For the URL that is being written.
    static URL: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The path of the request, still percent-encoded.
#[op2]
#[string]
pub(crate) fn op_request_path(state: &mut OpState, id: f64) -> Result<String, OpError> {
    Ok(state.exchange(id).slot()?.request.parts().uri.path().to_owned())
}

/// The full URL of an exchange's request.
pub(in crate::ext) fn url(state: &mut OpState, id: f64) -> Result<String, OpError> {
    let mut url = String::new();
    write_url(state, id, &mut url)?;
    Ok(url)
}

fn write_url(state: &mut OpState, id: f64, url: &mut String) -> Result<(), OpError> {
    let trust = state.exchanges().host.trust.clone();
    let slot = state.exchange(id).slot()?;
    let head = slot.request.parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    match &trust.origin {
        Some(origin) => url.extend([&origin.text, path]),
        None => {
            let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
            let scheme = if trust.is_secure(slot.requester.is_secure) { "https://" } else { "http://" };
            url.extend([scheme, host, path]);
        }
    }
    Ok(())
}

/// Whether an origin is that of this server: the configured one, that of the `Host` header, or that of the
/// listener.
#[op2(fast)]
pub(crate) fn op_request_is_own(
    state: &mut OpState,
    id: f64,
    #[string] origin: &str,
) -> Result<bool, OpError> {
    let trust = state.exchanges().host.trust.clone();
    let slot = state.exchange(id).slot()?;
    let head = slot.request.parts();
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let listens = origin.strip_prefix("http://").and_then(Authority::parse);
    Ok(trust.origin.as_ref().is_some_and(|own| own.text == origin)
        || named.is_some_and(|named| is_same_origin(origin, named))
        || listens.is_some_and(|authority| trust.listens_at(&authority)))
}

/// All headers, in the format of [`write_headers`].
#[op2]
pub(crate) fn op_request_headers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let text = write_headers(&state.exchange(id).slot()?.request.parts().headers);
    Ok(header_text(scope, state, &text))
}

/// The value of one header; null if it is absent, undefined if no header can have such a name.
#[op2]
pub(crate) fn op_request_header<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
    #[string] name: &str,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let head = state.exchange(id).slot()?.request.parts();
    // A walk over a list as short as that of most requests costs less than the hash of a name. The list has the names in
    // lower case.
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let wanted: Cow<'_, str> = if is_lower { name.into() } else { name.to_ascii_lowercase().into() };
    let named = head.headers.iter().filter(|(known, _)| known.as_str() == wanted);
    let mut values = named.map(|(_, value)| value.as_bytes());
    // Most headers have one value, which is then copied only once.
    Ok(match (values.next(), values.next()) {
        (None, _) if !is_token(name) => v8::undefined(scope).into(),
        (None, _) => v8::null(scope).into(),
        (Some(only), None) if only.is_ascii() => byte_string(scope, only),
        (Some(only), None) => {
            let only = only.to_vec();
            header_text(scope, state, &only)
        }
        (Some(first), Some(second)) => {
            let all: Vec<_> = [first, second].into_iter().chain(values).collect();
            let all = all.join(&b", "[..]);
            header_text(scope, state, &all)
        }
    })
}

/// Whether a text can be the name of a header (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

/// The address that the request came from.
#[op2]
#[string]
pub(crate) fn op_request_peer(state: &mut OpState, id: f64) -> Result<String, OpError> {
    Ok(state.exchange(id).slot()?.requester.address.to_string())
}

/// Whether there is a body to read.
#[op2(fast)]
pub(crate) fn op_request_has_body(state: &mut OpState, id: f64) -> Result<bool, OpError> {
    let slot = state.exchange(id).slot()?;
    Ok(slot.body.left.as_ref().is_some_and(|body| !body.is_end_stream()))
}

/// The next chunk of the body; null at its end.
#[op2]
pub(crate) async fn op_request_read(
    state: Rc<RefCell<OpState>>,
    id: f64,
) -> Result<Option<Received>, OpError> {
    let Some(Reading { mut body, mut stall_timeout, .. }) = begin(&state, id)? else { return Ok(None) };
    let data = match next_data(&mut body, &mut stall_timeout).await {
        Ok(None) => return Ok(None),
        Ok(Some(data)) => count_received(&state, id, data)?,
        Err((fault, error)) => return Err(fail(&state, id, fault, error)),
    };
    let mut state = state.borrow_mut();
    let slot = state.exchange(id).slot()?;
    if stall_timeout.is_spent() {
        slot.rare.get_or_insert_default().stall_timeout = Some(stall_timeout);
    }
    slot.body.left = Some(body);
    let memory = state.borrow::<Memory>().clone();
    Ok(Some(Received { bytes: data.into(), memory, held: None }))
}

/// The rest of the body, as a whole. Its bytes count toward the budget of all bodies until it is complete.
#[op2]
pub(crate) async fn op_request_collect(state: Rc<RefCell<OpState>>, id: f64) -> Result<Received, OpError> {
    let memory = state.borrow().borrow::<Memory>().clone();
    let (bytes, held) = collect(&state, id).await?;
    Ok(Received { bytes, memory, held })
}

/// A small body that has arrived as a whole and was not read: as bytes, or decoded as UTF-8. Null for others, which
/// [`op_request_collect`] waits for.
#[op2]
pub(crate) fn op_request_whole<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    id: f64,
    is_text: bool,
) -> Result<v8::Local<'s, v8::Value>, OpError> {
    let memory = state.borrow::<Memory>().clone();
    let BodyLimits { size: limit, ref budget, .. } = state.exchanges().host.bodies;
    let budget = budget.clone();
    let Slot { body, requester, .. } = state.exchange(id).slot()?;
    let Some(data) = body.left.as_ref().and_then(|left| left.as_whole(SMALL_BODY)) else {
        return Ok(v8::null(scope).into());
    };
    let now = Instant::now();
    if body.read + data.len() > limit || budget.begin(requester.address, now).grow(data.len(), now).is_err() {
        return Ok(v8::null(scope).into());
    }
    let value = match is_text {
        true => decoded(scope, data),
        // What is refused here is refused again by what waits for bodies, which has the error for it.
        false if memory.make_room(scope, data.len()).is_err() => None,
        false => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(data.to_vec()).make_shared();
            let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
            v8::Uint8Array::new(scope, buffer, 0, data.len()).map(Into::into)
        }
    };
    let Some(value) = value else { return Ok(v8::null(scope).into()) };
    body.read += data.len();
    body.left = None;
    Ok(value)
}

/// Bodies up to this length, in bytes, are passed on in the turn in which they are asked for.
const SMALL_BODY: usize = 64 * 1024;

/// Text as `TextDecoder` reads it: without a byte order mark, and with replacements for what is not UTF-8.
fn decoded<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: &[u8]) -> Option<v8::Local<'s, v8::Value>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let string = match bytes.is_ascii() {
        true => v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal),
        false => v8::String::new_from_utf8(scope, bytes, v8::NewStringType::Normal),
    };
    string.map(Into::into)
}

/// The rest of a body, and its count in the budget of all bodies.
pub(in crate::ext) async fn collect(
    state: &Rc<RefCell<OpState>>,
    id: f64,
) -> Result<(Vec<u8>, Option<Held>), OpError> {
    let mut whole = Vec::new();
    let Some(Reading { mut body, mut stall_timeout, mut held }) = begin(state, id)? else {
        return Ok((whole, None));
    };
    loop {
        let next = tokio::select! {
            biased;
            next = next_data(&mut body, &mut stall_timeout) => next,
            () = held.in_the_way() => Err((BodyFault::Crowded, OpError::BodiesFull(held.budget()))),
        };
        match next {
            Ok(None) => return Ok((whole, Some(held))),
            Ok(Some(data)) => {
                let data = count_received(state, id, data)?;
                if held.grow(data.len(), Instant::now()).is_err() {
                    return Err(fail(state, id, BodyFault::Crowded, OpError::BodiesFull(held.budget())));
                }
                append(&mut whole, &data, body.size_hint().exact());
            }
            Err((fault, error)) => return Err(fail(state, id, fault, error)),
        }
    }
}

/// Body bytes that are passed to JavaScript, where they count toward the memory of the isolate.
pub(super) struct Received {
    bytes: Vec<u8>,
    memory: Memory,
    /// Their count in the budget of all bodies, until V8 has them.
    held: Option<Held>,
}

impl<'s> ToV8<'s> for Received {
    type Error = JsErrorBox;

    fn to_v8<'i>(self, scope: &mut v8::PinScope<'s, 'i>) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
        let Received { bytes, memory, held } = self;
        let length = bytes.len();
        memory.make_room(scope, length).map_err(|error| JsErrorBox::range_error(error.to_string()))?;
        let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes).make_shared();
        drop(held);
        let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
        let view = v8::Uint8Array::new(scope, buffer, 0, length);
        Ok(view.map_or_else(|| v8::null(scope).into(), Into::into))
    }
}

/// Appends to a body; `to_come`: the number of bytes that follow `data`, if known.
fn append(whole: &mut Vec<u8>, data: &[u8], to_come: Option<u64>) {
    let needed = whole.len() + data.len();
    if needed > whole.capacity() {
        let to_come = to_come.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        // Doubling the capacity limits copies; the announced length limits the capacity.
        let capacity = needed.max(2 * whole.capacity()).min(needed.saturating_add(to_come));
        whole.reserve_exact(capacity - whole.len());
    }
    whole.extend_from_slice(data);
}

/// A body that is being read. It returns to its exchange after a chunk, unless it has ended.
struct Reading {
    body: Box<ReceivedBody>,
    stall_timeout: StallTimeout,
    held: Held,
}

/// Removes the body from its exchange, if it has one.
fn begin(state: &Rc<RefCell<OpState>>, id: f64) -> Result<Option<Reading>, OpError> {
    let mut state = state.borrow_mut();
    let BodyLimits { patience: limit, ref budget, .. } = state.exchanges().host.bodies;
    let budget = budget.clone();
    let slot = state.exchange(id).slot()?;
    let Some(body) = slot.body.left.take() else { return Ok(None) };
    let stall_timeout = slot.rare.as_mut().and_then(|rare| rare.stall_timeout.take());
    let stall_timeout = stall_timeout.unwrap_or_else(|| StallTimeout::new(limit));
    let held = budget.begin(slot.requester.address, Instant::now());
    Ok(Some(Reading { body, stall_timeout, held }))
}

/// Counts bytes of the body; an error beyond the limit of one body.
fn count_received(state: &Rc<RefCell<OpState>>, id: f64, data: Bytes) -> Result<Bytes, OpError> {
    let mut state = state.borrow_mut();
    let limit = state.exchanges().host.bodies.size;
    let slot = state.exchange(id).slot()?;
    slot.body.read += data.len();
    if slot.body.read > limit {
        slot.rare.get_or_insert_default().fault = Some(BodyFault::TooLarge);
        return Err(OpError::RequestTooLarge(limit));
    }
    Ok(data)
}

/// Records why the body could not be read.
fn fail(state: &Rc<RefCell<OpState>>, id: f64, fault: BodyFault, error: OpError) -> OpError {
    if let Ok(slot) = state.borrow_mut().exchange(id).slot() {
        slot.rare.get_or_insert_default().fault = Some(fault);
    }
    error
}

/// The next bytes of a body; `None` at its end.
async fn next_data(
    body: &mut ReceivedBody,
    stall_timeout: &mut StallTimeout,
) -> Result<Option<Bytes>, (BodyFault, OpError)> {
    loop {
        match next_frame(body, stall_timeout).await? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The next frame of a body. An error if the client stalls for too long.
async fn next_frame(
    body: &mut ReceivedBody,
    stall_timeout: &mut StallTimeout,
) -> Result<Option<Frame<Bytes>>, (BodyFault, OpError)> {
    let mut next = std::pin::pin!(std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)));
    let frame = match std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
        Poll::Ready(frame) => frame,
        Poll::Pending => {
            let deadline = stall_timeout.wait(Instant::now());
            match within(deadline, next).await {
                Some(frame) => frame,
                None => return Err((BodyFault::Late, OpError::RequestBody("it came too slowly".into()))),
            }
        }
    };
    let frame = frame.transpose().map_err(|it| (BodyFault::Broken, OpError::RequestBody(it.to_string())))?;
    if stall_timeout.is_waiting() {
        let bytes = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len);
        stall_timeout.moved(bytes, Instant::now());
    }
    Ok(frame)
}

/// Formats headers for JavaScript, as a byte string: alternating lines of names and values.
pub(super) fn write_headers(headers: &HeaderMap) -> Vec<u8> {
    let length = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
    let mut text = Vec::with_capacity(length);
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.push(b'\n');
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text
}

/// The text of headers: a byte string, or what UTF-8 stands for in Workers, with replacements for what is none.
fn header_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    bytes: &[u8],
) -> v8::Local<'s, v8::Value> {
    if bytes.is_ascii() || !state.exchanges().host.has_utf8_headers {
        return byte_string(scope, bytes);
    }
    let string = v8::String::new_from_utf8(scope, bytes, v8::NewStringType::Normal);
    string.map_or_else(|| v8::null(scope).into(), Into::into)
}

/// A JavaScript byte string: one UTF-16 unit for each byte.
fn byte_string<'s>(scope: &mut v8::PinScope<'s, '_>, bytes: &[u8]) -> v8::Local<'s, v8::Value> {
    // A head is far shorter than the longest string of V8.
    let string = v8::String::new_from_one_byte(scope, bytes, v8::NewStringType::Normal);
    string.map_or_else(|| v8::null(scope).into(), Into::into)
}
