//! Requests that a page of another site sends in the name of its visitor (cross-site request forgery).
//!
//! A request that may change something and carries a session is served if the browser declares that a page of the same
//! origin or its user sent it, or if the page's origin is allowed. Programs send no such declaration and are served: no
//! page can make a program send the session of another.

use hyper::header::{COOKIE, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};

use super::caller::Caller;
use crate::config::Config;
use crate::http::Answer;
use crate::trust::Requester;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The answer to a forged request. The page that sent it cannot read it.
const TEXT: &str = "A page of another origin sent this request with the session of its visitor. If it may, start the \
    server with --allow-origin and the origin of that page, or export `csrf = false` from the handler. If the page is \
    of this site, tell the server where that is: see --origin and --trust-proxy.\n";

/// Whether a method is safe (RFC 9110 section 9.2.1), QUERY included.
fn is_safe(method: &Method) -> bool {
    method.is_safe() || method.as_str() == "QUERY"
}

/// Whether a page of another origin sent a request, as far as its headers show.
pub(super) fn is_forged(config: &Config, requester: Requester, method: &Method, headers: &HeaderMap) -> bool {
    if is_safe(method) || !headers.contains_key(COOKIE) {
        return false;
    }
    let caller = Caller::of(config, requester, headers);
    if caller.visitor.session.is_none() {
        return false;
    }
    let (origin, own) = (caller.origin.as_deref(), caller.own.as_deref());
    let hub = &config.hub;
    match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
        Some(b"same-origin" | b"none") => false,
        // For the browser the page is of another origin, whatever the `Origin` says.
        Some(b"cross-site" | b"same-site") => origin.is_none() || !hub.allows(origin, None),
        _ => !hub.allows(origin, own),
    }
}

pub(super) fn refusal() -> Answer {
    Answer::text(StatusCode::FORBIDDEN, TEXT)
}
