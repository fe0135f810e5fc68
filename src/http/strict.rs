//! What is required of every request (RFC 9112 section 3), beyond what its parser checks.

use hyper::header::{COOKIE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};

use super::{Answer, LINE_PATH};
use liveline_proto::http1::{Flaw, is_host, is_resolved};

/// Why a request is refused. Its connection ends with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error("A request's target is a path, or an address of http: without a user.")]
    Target,
    #[error("A request's path leads down: it has no segment `.` or `..`, and no backslash.")]
    Path,
    #[error("This is no proxy.")]
    Connect,
}

impl RequestError {
    fn status(self) -> StatusCode {
        match self {
            RequestError::Flaw(Flaw::Coding) | RequestError::Connect => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn answer(self) -> Answer {
        Answer::text(self.status(), format!("{self}\n")).last()
    }
}

/// Checks a request. From here on its `Host` header is the one host that it is for, and its cookies are in one header.
pub(crate) fn check<B>(request: &mut Request<B>) -> Result<(), RequestError> {
    if request.method() == Method::CONNECT {
        return Err(RequestError::Connect);
    }
    if let Some(host) = check_target(request.uri(), request.method())? {
        request.headers_mut().insert(HOST, host);
    }
    join_cookies(request.headers_mut());
    Ok(())
}

/// Proxies that speak HTTP/2 may split cookies into several fields, which are joined by `; ` (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let all: Vec<_> = [first, second].into_iter().chain(fields).collect();
    // The bytes come from headers, so they are valid in one.
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Whether a request is for the server as a whole: `OPTIONS *`.
pub(crate) fn is_of_server<B>(request: &Request<B>) -> bool {
    request.uri().path() == "*"
}

/// Checks the target. Returns its host if it has one, which takes the place of `Host` (RFC 9112 section 3.2.2).
fn check_target(uri: &Uri, method: &Method) -> Result<Option<HeaderValue>, RequestError> {
    // The host's own addresses are compared as they are, and no file is opened for them.
    if !uri.path().starts_with(LINE_PATH) && !is_resolved(uri.path()) {
        return Err(RequestError::Path);
    }
    let Some(authority) = uri.authority() else {
        let is_path = uri.path().starts_with('/') || (*method == Method::OPTIONS && uri.path() == "*");
        return if is_path { Ok(None) } else { Err(RequestError::Target) };
    };
    // A target with an authority and no scheme is that of a CONNECT.
    if !matches!(uri.scheme_str(), Some("http" | "https")) || !is_host(authority.as_str().as_bytes()) {
        return Err(RequestError::Target);
    }
    HeaderValue::from_str(authority.as_str()).map(Some).map_err(|_| RequestError::Target)
}
