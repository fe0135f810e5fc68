//! Redirects that a page cannot follow by `fetch`, because they leave its origin.

use hyper::StatusCode;
use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};

use crate::ops::Answer;

const POLICY: HeaderName = HeaderName::from_static("x-redirect-policy");
/// The status that the redirect would have had.
const CODE: HeaderName = HeaderName::from_static("x-redirect-code");

/// A page asks to be told of redirects to other hosts, instead of being sent there.
pub struct Told {
    /// The host that the page asked.
    host: Option<HeaderValue>,
}

impl Told {
    /// What a request asks for.
    pub fn asked(headers: &HeaderMap) -> Option<Told> {
        let policy = headers.get(POLICY)?.as_bytes();
        let known = [&b"manual-when-cross-origin"[..], b"manual-when-cross-spa"];
        known.contains(&policy).then(|| Told { host: headers.get(HOST).cloned() })
    }

    /// Makes an answer of success out of a redirect to another host; the page reads where it leads.
    pub fn apply(&self, answer: &mut Answer) {
        if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return;
        }
        let target =
            answer.headers.get(LOCATION).and_then(|target| target.to_str().ok()?.parse::<Uri>().ok());
        let Some(authority) = target.as_ref().and_then(Uri::authority) else { return };
        let host = self.host.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        if !host.eq_ignore_ascii_case(authority.as_str().as_bytes()) {
            answer.headers.insert(CODE, HeaderValue::from(answer.status.as_u16()));
            answer.status = StatusCode::OK;
        }
    }
}
