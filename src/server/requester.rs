//! Which client sent a request, and for which host. A trusted proxy names both.

use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};

use super::PermitError;
use super::context::Context;
use crate::http::Answer;
use crate::trust::{Authority, Forwarded, Malformed, Requester};

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequesterError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(
        "This server does not answer for `{0}`. If it should, start it with --allow-host {0}, or with --origin and \
         the address of the site."
    )]
    Misdirected(String),
    #[error("The server is busy: there are too many requests from {0}.")]
    Crowded(std::net::IpAddr),
}

impl RequesterError {
    pub(super) fn answer(&self) -> Answer {
        let status = match self {
            RequesterError::Malformed(_) => StatusCode::BAD_REQUEST,
            RequesterError::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            RequesterError::Crowded(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut answer = Answer::text(status, format!("{self}\n"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        answer
    }
}

/// Finds the client that sent a request. From here on the `Host` header is the host that the client named, and the server
/// answers for that host.
pub(super) fn of<B>(context: &Context, request: &mut Request<B>) -> Result<Requester, RequesterError> {
    let trust = &context.worker.config.trust;
    let mut requester = Requester::of(&context.peer);
    if context.peer.is_proxy {
        let headers = request.headers();
        let named = headers.get(HOST).and_then(|host| host.to_str().ok());
        let forwarded = Forwarded::read(headers, &context.peer, named, &trust.proxies)?;
        requester = forwarded.requester;
        if let Some(host) = forwarded.host {
            let host = HeaderValue::try_from(host).map_err(|_| Malformed::Host)?;
            request.headers_mut().insert(HOST, host);
        }
    }
    if !trust.hosts.are_any()
        && let Some(host) = request.headers().get(HOST)
    {
        let authority = host.to_str().ok().and_then(Authority::parse).ok_or(Malformed::Host)?;
        if !trust.hosts.allow(&authority.host, context.arrived_at) {
            return Err(RequesterError::Misdirected(authority.host.to_string()));
        }
    }
    if let Err(PermitError::Address(_)) = context.monitor.count_for(requester.address) {
        return Err(RequesterError::Crowded(requester.address));
    }
    Ok(requester)
}
