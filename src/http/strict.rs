//! What a request has to be before anything is done for it (RFC 9112 sections 3, 6 and 7), beyond what hyper sees to.

use hyper::header::{COOKIE, HOST, HeaderMap, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode, Uri, Version};

use super::{Answer, LINE_PATH};
use liveline_proto::http1::{Unreadable, is_host, is_resolved};

/// Why a request is answered without being served. Its connection ends with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The request's head can be read in two ways.")]
    Ambiguous,
    #[error("A request names its host once, as HOST or HOST:PORT.")]
    Host,
    #[error("A request has one Origin.")]
    Origin,
    #[error("A request's target has no fragment: nothing of an address from `#` on is sent.")]
    Fragment,
    #[error("A request's target is a path, or an address of http: without a user.")]
    Target,
    #[error("A request's path leads down: it has no segment `.` or `..`, and no backslash.")]
    Path,
    #[error("A body is chunked once.")]
    ChunkedTwice,
    #[error("The only transfer coding that is understood is `chunked`.")]
    Coding,
    #[error("This is no proxy.")]
    Connect,
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Refusal {
        match unreadable {
            Unreadable::Ambiguous => Refusal::Ambiguous,
            Unreadable::Fragment => Refusal::Fragment,
        }
    }
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::Coding | Refusal::Connect => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn answer(self) -> Answer {
        Answer::text(self.status(), format!("{self}\n")).last()
    }
}

/// Checks a request. From here on its `Host` header is the one host that it is for, and its cookies stand in one header.
pub(crate) fn check<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    check_coding(request.headers())?;
    check_host(request.headers(), request.version())?;
    check_origin(request.headers())?;
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if let Some(host) = check_target(request.uri(), request.method())? {
        request.headers_mut().insert(HOST, host);
    }
    join_cookies(request.headers_mut());
    Ok(())
}

/// Proxies that speak HTTP/2 may split cookies into fields, which are joined otherwise than those of lists (RFC 9113
/// section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let all: Vec<_> = [first, second].into_iter().chain(fields).collect();
    // What stood in headers can stand in one.
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Whether it asks about the server as a whole: `OPTIONS *`.
pub(crate) fn is_of_server<B>(request: &Request<B>) -> bool {
    request.uri().path() == "*"
}

fn check_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_chunked = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"chunked");
    let mut values = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    let Some(first) = values.next() else { return Ok(()) };
    match values.next() {
        None if is_chunked(first) => Ok(()),
        None if !first.split(|&it| it == b',').all(is_chunked) => Err(Refusal::Coding),
        _ => Err(Refusal::ChunkedTwice),
    }
}

fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        _ => Err(Refusal::Host),
    }
}

/// A page's origin decides what it may do here, so there is no choice of two.
fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut values = headers.get_all(ORIGIN).iter();
    match (values.next(), values.next()) {
        (_, None) => Ok(()),
        _ => Err(Refusal::Origin),
    }
}

/// Checks what is asked for. Returns its host where that stands here, which then counts (RFC 9112 section 3.2.2).
fn check_target(uri: &Uri, method: &Method) -> Result<Option<HeaderValue>, Refusal> {
    // The host's own addresses are compared as they are, and lead nowhere else.
    if !uri.path().starts_with(LINE_PATH) && !is_resolved(uri.path()) {
        return Err(Refusal::Path);
    }
    let Some(authority) = uri.authority() else {
        let is_path = uri.path().starts_with('/') || (*method == Method::OPTIONS && uri.path() == "*");
        return if is_path { Ok(None) } else { Err(Refusal::Target) };
    };
    // Without a scheme it is the target of a CONNECT.
    if !matches!(uri.scheme_str(), Some("http" | "https")) || !is_host(authority.as_str().as_bytes()) {
        return Err(Refusal::Target);
    }
    HeaderValue::from_str(authority.as_str()).map(Some).map_err(|_| Refusal::Target)
}
