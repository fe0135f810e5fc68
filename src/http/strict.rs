//! What a request has to be before anything is done for it (RFC 9112 sections 3, 6 and 7), beyond what hyper sees to.

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode, Uri, Version};

use crate::ops::{Answer, LINE_PATH};
use crate::trust::Authority;

/// Why a request is answered without being served. Its connection ends with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::Coding | Refusal::Connect => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub fn answer(self) -> Answer {
        Answer::text(self.status(), format!("{self}\n")).last()
    }
}

/// Checks a request. From here on its `Host` header is the one host that it is for.
pub fn check<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    check_coding(request.headers())?;
    check_host(request.headers(), request.version())?;
    check_origin(request.headers())?;
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if let Some(host) = check_target(request.uri(), request.method())? {
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// Whether it asks about the server as a whole: `OPTIONS *`.
pub fn is_of_server<B>(request: &Request<B>) -> bool {
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

/// Whether a text is `uri-host [ ":" port ]` (RFC 9110 section 7.2) and an address can be made with it: handlers get
/// theirs with this host in it.
fn is_host(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(Authority::is_valid)
}

/// Whether a path is read in another way by whoever resolves it: `..` leads up, and URLs of browsers take `\` for `/`.
/// The router goes by segments as they are sent, and handlers see the address resolved; both must mean the same.
fn is_resolved(path: &str) -> bool {
    if memchr::memchr3(b'.', b'%', b'\\', path.as_bytes()).is_none() {
        return true;
    }
    let without_dot = |segment: &mut &[u8]| match *segment {
        [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => {
            *segment = rest;
            true
        }
        _ => false,
    };
    path.as_bytes().split(|&it| it == b'/').all(|mut segment| {
        if segment.contains(&b'\\') {
            return false;
        }
        let dots = without_dot(&mut segment) && (segment.is_empty() || without_dot(&mut segment));
        !(dots && segment.is_empty())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_or_without_a_port() {
        for host in [
            "x",
            "a-b.example",
            "a_b:8080",
            "127.0.0.1:",
            "[::1]",
            "[::ffff:1.2.3.4]:80",
            "%41",
            "x.",
            "1.example",
            "xn--bcher-kva.example",
            "X",
            "x:65535",
            "0x7f.1",
            "a~b",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "x y",
            "x/",
            "u@x",
            "x:y",
            "x:1:2",
            "x, y",
            "[::1",
            "[x]",
            "[::1]x",
            "::1",
            "x\u{e9}",
            "x?",
            "x\\",
            "",
            ":",
            ":80",
            "x:65536",
            "x:99999999999",
            "%",
            "%zz",
            "%00",
            "%2f",
            "%20",
            "256.256.256.256",
            "1.2.3.4.5",
            "[]",
            "[1]",
            "[:::]",
            "[::1.2.3]",
            "[::1]]",
            "xn--",
            "xn--a\u{fc}",
            "x,y",
            "a.xn--0",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn paths_lead_down() {
        for path in
            ["/", "/a.b", "/...", "/.a", "/..a/b..", "/%2e%2e%2e", "/.liveline/x", "/a%2f..", "/%5c", "*"]
        {
            assert!(is_resolved(path), "{path}");
        }
        for path in
            ["/.", "/..", "/a/../b", "/a/./b", "/%2e", "/.%2E/a", "/%2e%2e", "/a\\b", "/\\..\\a", "/.\\"]
        {
            assert!(!is_resolved(path), "{path}");
        }
    }
}
