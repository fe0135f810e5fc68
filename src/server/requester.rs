//! Who sent a request, and for which host it is. Where a proxy is believed, it says so.

use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};

use super::PermitError;
use super::connection::Shared;
use crate::http::Answer;
use crate::trust::{Authority, Forwarded, Malformed, Requester};

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwelcome {
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

impl Unwelcome {
    pub(super) fn answer(&self) -> Answer {
        let status = match self {
            Unwelcome::Malformed(_) => StatusCode::BAD_REQUEST,
            Unwelcome::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Unwelcome::Crowded(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut answer = Answer::text(status, format!("{self}\n"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        answer
    }
}

/// Finds out who sent a request. From here on its `Host` header is the host that the visitor named, and the server
/// answers for it.
pub(super) fn of<B>(shared: &Shared, request: &mut Request<B>) -> Result<Requester, Unwelcome> {
    let trust = &shared.worker.settings.trust;
    let mut requester = Requester::of(&shared.peer);
    if shared.peer.is_proxy {
        let headers = request.headers();
        let named = headers.get(HOST).and_then(|host| host.to_str().ok());
        let forwarded = Forwarded::read(headers, &shared.peer, named, &trust.proxies)?;
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
        if !trust.hosts.allow(&authority.host, shared.arrived_at) {
            return Err(Unwelcome::Misdirected(authority.host.to_string()));
        }
    }
    if let Some(counted) = &shared.counted
        && let Err(PermitError::Address(_)) = counted.count_for(Some(requester.address))
    {
        return Err(Unwelcome::Crowded(requester.address));
    }
    Ok(requester)
}
