//! Redirects to other origins, which a page cannot follow by `fetch`.

use hyper::StatusCode;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::http::uri::Authority;

use super::Answer;
use liveline_proto::is_same_origin;

const POLICY: HeaderName = HeaderName::from_static("x-redirect-policy");
/// The status of the redirect that became a 200.
pub(crate) const X_REDIRECT_CODE: HeaderName = HeaderName::from_static("x-redirect-code");

/// A page's wish to read where a redirect to another host leads, instead of following it.
pub(crate) struct RedirectPolicy {
    /// The origin that the request is for, or its host alone.
    own: Option<String>,
}

impl RedirectPolicy {
    /// The policy of a request, if it has one.
    pub(crate) fn of(headers: &HeaderMap, own: impl FnOnce() -> Option<String>) -> Option<RedirectPolicy> {
        let policy = headers.get(POLICY)?.as_bytes();
        let known = [&b"manual-when-cross-origin"[..], b"manual-when-cross-spa"];
        known.contains(&policy).then(|| RedirectPolicy { own: own() })
    }

    /// Turns a redirect to another host into a 200, whose `Location` the page reads.
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
