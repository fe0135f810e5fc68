//! The hosts that a server answers for.

use std::net::IpAddr;
use std::str::FromStr;

use url::Url;

use super::{Authority, Host};

/// The hosts that requests may name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    /// `None`: every name is allowed.
    names: Option<Vec<HostPattern>>,
    /// The names of this machine are allowed, too. No page of another machine has such an address.
    own: Option<OwnNames>,
}

/// The names of this machine.
#[derive(Debug, Clone)]
struct OwnNames(Option<String>);

/// A host or several: `shop.example`, `*.shop.example` for those below it, `.shop.example` for both, `*` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HostPattern {
    Any,
    Only(Host),
    Below(String),
    OnlyAndBelow(String),
}

/// Why a pattern is invalid.
#[derive(Debug, thiserror::Error)]
#[error(
    "give a host such as shop.example, *.shop.example for those below it, .shop.example for both, or * for all"
)]
pub(crate) struct InvalidHost;

/// The origin of a site: its scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteOrigin {
    /// As URLs write it: `https://shop.example`.
    pub text: String,
    pub authority: Authority,
    pub is_secure: bool,
}

/// Why an origin is invalid.
#[derive(Debug, thiserror::Error)]
#[error(
    "give an origin such as https://shop.example: a scheme, http or https, a host, perhaps a port, and no path"
)]
pub(crate) struct InvalidOrigin;

impl Hosts {
    /// Allows the listed names and that of the site's origin. Without either, and without `names_machine`, every name is
    /// allowed.
    pub(crate) fn new(
        listed: &[HostPattern],
        origin: Option<&SiteOrigin>,
        names_machine: Option<Option<String>>,
    ) -> Hosts {
        let own = names_machine.map(|name| OwnNames(name.map(|name| name.to_ascii_lowercase())));
        let of_origin = origin.map(|origin| HostPattern::Only(origin.authority.host.clone()));
        let names: Vec<_> = listed.iter().cloned().chain(of_origin).collect();
        let is_limited = own.is_some() || !names.is_empty();
        Hosts { names: is_limited.then_some(names), own }
    }

    /// Whether every name is allowed.
    pub(crate) fn are_any(&self) -> bool {
        self.names.is_none()
    }

    /// Whether a request may name this host on a connection to this address of the machine.
    pub(crate) fn allow(&self, host: &Host, arrived_at: Option<IpAddr>) -> bool {
        let Some(names) = &self.names else { return true };
        names.iter().any(|pattern| pattern.covers(host))
            || self.own.as_ref().is_some_and(|own| own.cover(host, arrived_at))
    }
}

impl OwnNames {
    fn cover(&self, host: &Host, arrived_at: Option<IpAddr>) -> bool {
        match host {
            // 0.0.0.0 and [::] lead to this machine as well, and are what a server on all addresses prints.
            Host::Address(address) => {
                address.is_loopback()
                    || address.is_unspecified()
                    || arrived_at.is_some_and(|own| own.to_canonical() == *address)
            }
            Host::Name(name) => {
                name == "localhost"
                    || name.ends_with(".localhost")
                    || self.0.as_deref().is_some_and(|own| {
                        name == own || name.strip_suffix(".local").is_some_and(|name| name == own)
                    })
            }
        }
    }
}

impl HostPattern {
    fn covers(&self, host: &Host) -> bool {
        let is_below = |parent: &str| match host {
            Host::Name(name) => {
                name.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Host::Address(_) => false,
        };
        match self {
            HostPattern::Any => true,
            HostPattern::Only(only) => only == host,
            HostPattern::Below(parent) => is_below(parent),
            HostPattern::OnlyAndBelow(parent) => {
                is_below(parent) || matches!(host, Host::Name(name) if name == parent)
            }
        }
    }
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<HostPattern, InvalidHost> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let name = |text: &str| match Host::parse(text) {
            Some(Host::Name(name)) if !name.is_empty() && !name.starts_with('.') => Ok(name),
            _ => Err(InvalidHost),
        };
        if let Some(parent) = text.strip_prefix("*.") {
            return name(parent).map(HostPattern::Below);
        }
        if let Some(parent) = text.strip_prefix('.') {
            return name(parent).map(HostPattern::OnlyAndBelow);
        }
        // An IPv6 address may come without its brackets.
        let host = text.parse().map(Host::Address).ok().or_else(|| Host::parse(text));
        host.filter(|_| !text.contains('*')).map(HostPattern::Only).ok_or(InvalidHost)
    }
}

impl FromStr for SiteOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<SiteOrigin, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !matches!(url.scheme(), "http" | "https") || !is_bare || has_user {
            return Err(InvalidOrigin);
        }
        let text = url.origin().ascii_serialization();
        let (_, authority) = text.split_once("://").ok_or(InvalidOrigin)?;
        let authority = Authority::parse(authority).ok_or(InvalidOrigin)?;
        Ok(SiteOrigin { authority, is_secure: url.scheme() == "https", text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| text.parse().expect("a pattern")).collect()
    }

    #[test]
    fn without_a_list_every_name_will_do() {
        assert!(Hosts::new(&[], None, None).allow(&host("anything.example"), None));
    }

    #[test]
    fn listed_names_will_do_and_no_others() {
        let listed = patterns(&["shop.example", "*.api.example", ".both.example", "::1", "10.0.0.1"]);
        let hosts = Hosts::new(&listed, None, None);
        for name in [
            "shop.example",
            "a.api.example",
            "a.b.api.example",
            "both.example",
            "x.both.example",
            "[::1]",
            "10.0.0.1",
        ] {
            assert!(hosts.allow(&host(name), None), "{name}");
        }
        for name in [
            "a.shop.example",
            "api.example",
            "evilboth.example",
            "localhost",
            "10.0.0.2",
            "shop.example.evil",
        ] {
            assert!(!hosts.allow(&host(name), None), "{name}");
        }
        assert!(Hosts::new(&patterns(&["*"]), None, None).allow(&host("a"), None));
    }

    #[test]
    fn the_machines_names_are_those_that_nobody_else_can_take() {
        let hosts = Hosts::new(&[], None, Some(Some("Laptop".to_owned())));
        let arrived_at = Some(IpAddr::from([192, 168, 0, 7]));
        for name in [
            "localhost",
            "app.localhost",
            "127.9.9.9",
            "[::1]",
            "0.0.0.0",
            "[::]",
            "192.168.0.7",
            "laptop",
            "laptop.local",
        ] {
            assert!(hosts.allow(&host(name), arrived_at), "{name}");
        }
        for name in ["evil.example", "localhost.evil.example", "192.168.0.8", "169.254.169.254", "mylaptop"] {
            assert!(!hosts.allow(&host(name), arrived_at), "{name}");
        }
    }

    #[test]
    fn the_origins_host_will_do() {
        let origin: SiteOrigin = "https://shop.example".parse().expect("an origin");
        let hosts = Hosts::new(&[], Some(&origin), None);
        assert!(hosts.allow(&host("SHOP.example"), None));
        assert!(!hosts.allow(&host("localhost"), None));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let read = |text: &str| text.parse::<SiteOrigin>().map(|origin| (origin.text, origin.is_secure)).ok();
        assert_eq!(read("https://Shop.example:443/"), Some(("https://shop.example".to_owned(), true)));
        assert_eq!(read("http://[::1]:3000"), Some(("http://[::1]:3000".to_owned(), false)));
        for text in ["shop.example", "https://a/b", "https://a?b", "ftp://a", "https://u@a", "https://", "*"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
