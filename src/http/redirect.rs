//! Redirects that a page cannot follow by `fetch`, because they leave its origin.

use hyper::StatusCode;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::http::uri::Authority;

use super::Answer;
use liveline_proto::is_same_origin;

const POLICY: HeaderName = HeaderName::from_static("x-redirect-policy");
/// The status that the redirect would have had.
pub(crate) const X_REDIRECT_CODE: HeaderName = HeaderName::from_static("x-redirect-code");

/// A page asks to be told of redirects to other hosts, instead of being sent there.
pub(crate) struct Told {
    /// The origin that the page asked, or its host alone.
    own: Option<String>,
}

impl Told {
    /// What a request asks for.
    pub(crate) fn asked(headers: &HeaderMap, own: impl FnOnce() -> Option<String>) -> Option<Told> {
        let policy = headers.get(POLICY)?.as_bytes();
        let known = [&b"manual-when-cross-origin"[..], b"manual-when-cross-spa"];
        known.contains(&policy).then(|| Told { own: own() })
    }

    /// Makes an answer of success out of a redirect to another host; the page reads where it leads.
    pub(crate) fn apply(&self, answer: &mut Answer) {
        if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return;
        }
        let target =
            answer.headers.get(LOCATION).and_then(|target| target.to_str().ok()?.parse::<Uri>().ok());
        let Some(target) = target.filter(|target| target.authority().is_some()) else { return };
        let (scheme, authority) = (target.scheme_str().unwrap_or_default(), target.authority());
        let target = format!("{scheme}://{}", authority.map(Authority::as_str).unwrap_or_default());
        if !self.own.as_ref().is_some_and(|own| is_same_origin(&target, own)) {
            answer.headers.insert(X_REDIRECT_CODE, HeaderValue::from(answer.status.as_u16()));
            answer.status = StatusCode::OK;
        }
    }
}
