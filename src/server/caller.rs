//! The visitor that a request is from, and the page that sent it.

use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

use crate::config::Config;
use crate::trust::{Requester, Trust};
use liveline_proto::Visitor;

/// What decides whether a request may use a line.
pub(super) struct Caller {
    pub visitor: Visitor,
    /// The request's `Origin`.
    pub origin: Option<String>,
    /// The origin that the request is for, which `origin` is compared with.
    pub own: Option<String>,
    /// The browser itself declares that the page is of another origin.
    pub is_cross_origin: bool,
}

impl Caller {
    pub(super) fn of(config: &Config, requester: Requester, headers: &HeaderMap) -> Caller {
        let sessions = &config.sessions;
        let session = sessions.of(headers).map(|id| sessions.name(&id).into());
        let visitor = Visitor { session, address: requester.address };
        let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("null").to_owned());
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_cross_origin = matches!(site, Some(b"cross-site" | b"same-site"));
        let own = own_origin(&config.trust, requester, headers);
        Caller { visitor, origin, own, is_cross_origin }
    }

    /// The same, as the registry of lines checks it.
    pub(super) fn of_line(&self) -> liveline_proto::Caller<'_> {
        let (origin, host) = (self.origin.as_deref(), self.own.as_deref());
        liveline_proto::Caller { visitor: &self.visitor, origin, host }
    }
}

/// The origin that a request is for. See [`Trust::own_origin`].
pub(super) fn own_origin(trust: &Trust, requester: Requester, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    trust.own_origin(host, requester.is_secure)
}
