//! Whom the server believes: for which hosts it answers, and which proxies say who asks.
//!
//! | type | what it is |
//! |---|---|
//! | [`Trust`] | all of it, as configured |
//! | [`Authority`] | `HOST:PORT`, read as URLs of the web are |
//! | [`Hosts`] | the names that the server answers for |
//! | [`SiteOrigin`] | the origin of the site, where that is fixed |
//! | [`Proxies`] | the addresses whose word counts |
//! | [`Peer`] | who has a connection |
//! | [`Requester`] | who sent a request, by the word of the proxies |
//! | [`proxy_protocol`] | what a proxy says before the first byte of its client |
//!
//! **Invariant:** nothing in here does I/O. What nobody said who is believed is not known, and not guessed.

mod authority;
mod forwarded;
mod hosts;
mod proxies;
pub(crate) mod proxy_protocol;

use std::net::{IpAddr, SocketAddr};

pub(crate) use authority::{Authority, Host};
pub(crate) use forwarded::{Forwarded, Malformed, Requester};
pub(crate) use hosts::{HostPattern, Hosts, SiteOrigin};
pub(crate) use proxies::{Proxies, ProxyRange};

/// The server's idea of itself and of those in front of it.
#[derive(Debug)]
pub(crate) struct Trust {
    /// The site's origin. Without it, a site is where its visitors say that it is.
    pub origin: Option<SiteOrigin>,
    pub hosts: Hosts,
    pub proxies: Proxies,
    /// Where the server listens.
    pub listening: Vec<SocketAddr>,
}

impl Trust {
    /// Whether `http://AUTHORITY` of this machine is the listener's own.
    pub(crate) fn listens_at(&self, authority: &Authority) -> bool {
        self.listening.iter().any(|listening| {
            let own = listening.ip().to_canonical();
            let is_here = match &authority.host {
                Host::Name(name) => name == "localhost" && (own.is_loopback() || own.is_unspecified()),
                Host::Address(address) => *address == own || (address.is_loopback() && own.is_unspecified()),
            };
            is_here && authority.port.unwrap_or(80) == listening.port()
        })
    }

    /// Whether a visitor's requests travel by TLS, as far as anybody knows: `said` is what the proxies say.
    pub(crate) fn is_secure(&self, said: Option<bool>) -> bool {
        self.origin.as_ref().map_or(said == Some(true), |origin| origin.is_secure)
    }

    /// What a request's `Origin` is compared with: the origin that the request is for, or HOST:PORT alone where nobody
    /// who is believed said with which scheme the visitor came.
    pub(crate) fn own_origin(&self, host: Option<&str>, is_secure: Option<bool>) -> Option<String> {
        let named = host.and_then(Authority::parse);
        if let Some(origin) = &self.origin
            && named.as_ref().is_none_or(|named| named.host == origin.authority.host)
        {
            return Some(origin.text.clone());
        }
        let host = host?;
        Some(match is_secure {
            Some(true) => format!("https://{host}"),
            Some(false) => format!("http://{host}"),
            None => host.to_owned(),
        })
    }
}

/// Who a connection is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub address: IpAddr,
    /// Whether they came by TLS, where the proxy protocol says so.
    pub is_secure: Option<bool>,
    /// Whether its word about others counts.
    pub is_proxy: bool,
}
