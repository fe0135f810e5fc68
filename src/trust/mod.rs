//! Which hosts the server answers for, and which proxies it trusts to name the client of a request.
//!
//! | type | what it is |
//! |---|---|
//! | [`Trust`] | the configuration |
//! | [`Authority`] | `HOST:PORT`, parsed as in URLs |
//! | [`Hosts`] | the names that the server answers for |
//! | [`SiteOrigin`] | the origin of the site, where that is fixed |
//! | [`Proxies`] | the addresses of trusted proxies |
//! | [`Peer`] | the other end of a connection |
//! | [`Requester`] | the client that sent a request, as the proxies name it |
//! | [`proxy_protocol`] | the header that a proxy sends before the first byte of its client |
//!
//! **Invariant:** nothing in here does I/O. What no trusted proxy names is unknown, and is not guessed.

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

/// The hosts of the server, and the proxies in front of it.
#[derive(Debug)]
pub(crate) struct Trust {
    /// The site's origin. Without it, the `Host` of a request is the site's.
    pub origin: Option<SiteOrigin>,
    pub hosts: Hosts,
    pub proxies: Proxies,
    /// The addresses that the server listens on.
    pub listening: Vec<SocketAddr>,
}

impl Trust {
    /// Whether `http://AUTHORITY`, opened on this machine, leads to the listener.
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

    /// Whether a visitor's requests are sent over TLS, as far as that is known: `forwarded` is what the proxies declare.
    pub(crate) fn is_secure(&self, forwarded: Option<bool>) -> bool {
        self.origin.as_ref().map_or(forwarded == Some(true), |origin| origin.is_secure)
    }

    /// What a request's `Origin` is compared with: the origin that the request is for, or HOST:PORT alone if no trusted
    /// proxy declares the scheme that the visitor uses.
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

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub address: IpAddr,
    /// Whether the client uses TLS, if the PROXY protocol declares it.
    pub is_secure: Option<bool>,
    /// Whether it is a trusted proxy.
    pub is_proxy: bool,
}
