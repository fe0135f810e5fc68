//! HOST or HOST:PORT, as a request names it.

use std::fmt;
use std::net::IpAddr;

use url::Host as UrlHost;

use liveline_proto::http1::is_host;

/// HOST or HOST:PORT, parsed as in URLs, so that `event.url` has the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

/// The part before the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// In lower case, without a final dot.
    Name(String),
    Address(IpAddr),
}

impl Authority {
    /// Parses it; `None` if no URL can contain it.
    pub(crate) fn parse(text: &str) -> Option<Authority> {
        if !Authority::is_valid(text) {
            return None;
        }
        let end = text.rfind(']').map_or_else(|| text.find(':'), |end| Some(end + 1)).unwrap_or(text.len());
        let (host, port) = text.split_at(end);
        Some(Authority { host: Host::parse(host)?, port: port.get(1..).and_then(|port| port.parse().ok()) })
    }

    /// Whether it can be parsed.
    pub(crate) fn is_valid(text: &str) -> bool {
        is_host(text.as_bytes())
    }
}

impl Host {
    /// Parses it; an IPv6 address is in brackets.
    pub(crate) fn parse(text: &str) -> Option<Host> {
        Some(match UrlHost::parse(text).ok()? {
            UrlHost::Domain(name) => Host::Name(name.strip_suffix('.').unwrap_or(&name).to_owned()),
            UrlHost::Ipv4(address) => Host::Address(address.into()),
            UrlHost::Ipv6(address) => Host::Address(IpAddr::from(address).to_canonical()),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_as_urls_read_them() {
        for (text, host, port) in [
            ("shop.example", "shop.example", None),
            ("Shop.Example.:443", "shop.example", Some(443)),
            ("localhost:", "localhost", None),
            ("a_b", "a_b", None),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
            ("%41.example", "a.example", None),
        ] {
            let read = Authority::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read, Authority { host: Host::Name(host.to_owned()), port }, "{text}");
            assert!(Authority::is_valid(text), "{text}");
        }
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("[::1]:3000", "::1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
        ] {
            let read = Authority::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.host, Host::Address(address.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn what_no_url_could_have_is_refused() {
        for text in [
            "",
            ":80",
            "a:b",
            "a:65536",
            "a:+1",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[x]",
            "::1",
            "1.2.3.400",
            "a b",
            "a/b",
            "u@a",
            "a?b",
            "xn--a-ecp.example",
            "%zz",
            "a%20b",
            "a#b",
            "a\\b",
            "x\u{e9}",
            "<a>",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
            assert!(!Authority::is_valid(text), "{text}");
        }
    }
}
