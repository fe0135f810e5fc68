//! Requests that a page of another site sends in the name of its visitor (cross-site request forgery).
//!
//! A request that may change something and carries a session is served where the browser says that a page of the same
//! origin sent it, or its user; or where the page's origin is allowed. Programs say neither, and are served: nobody can
//! make them send a session that is not theirs.

use hyper::header::{COOKIE, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};

use super::connection::Shared;
use super::line::Caller;
use crate::http::Answer;
use crate::trust::Requester;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What whoever sent a forged request gets. The page that sent it cannot read it.
const TEXT: &str = "A page of another origin sent this request with the session of its visitor. If it may, start the \
    server with --allow-origin and the origin of that page, or export `csrf = false` from the handler. If the page is \
    of this site, tell the server where that is: see --origin and --trust-proxy.\n";

/// Whether a method only asks (RFC 9110 section 9.2.1), QUERY included.
fn is_safe(method: &Method) -> bool {
    method.is_safe() || method.as_str() == "QUERY"
}

/// Whether a request is, as far as its headers tell, a page's of another origin.
pub(super) fn is_forged(shared: &Shared, requester: Requester, method: &Method, headers: &HeaderMap) -> bool {
    if is_safe(method) || !headers.contains_key(COOKIE) {
        return false;
    }
    let caller = Caller::of(shared, requester, headers);
    if caller.visitor.session.is_none() {
        return false;
    }
    let liveline_proto::Caller { origin, host: own, .. } = caller.of_line();
    let hub = &shared.worker.settings.hub;
    match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
        Some(b"same-origin" | b"none") => false,
        // The browser knows that it is not this one.
        Some(b"cross-site" | b"same-site") => origin.is_none() || !hub.engine().allows(origin, None),
        _ => !hub.engine().allows(origin, own),
    }
}

pub(super) fn refusal() -> Answer {
    Answer::text(StatusCode::FORBIDDEN, TEXT)
}
