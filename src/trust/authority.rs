//! HOST or HOST:PORT, as a request names it.

use std::fmt;
use std::net::IpAddr;

use url::Host as UrlHost;

/// HOST or HOST:PORT, read as URLs of the web are: `event.url` means the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

/// What comes before the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// In lower case, without a dot at its end.
    Name(String),
    Address(IpAddr),
}

impl Authority {
    /// Reads it; `None` where a URL could not have it.
    pub fn parse(text: &str) -> Option<Authority> {
        let (host, port) = split(text)?;
        Some(Authority { host: Host::parse(host)?, port: port.parse().ok() })
    }

    /// Whether it can be read.
    pub fn is_valid(text: &str) -> bool {
        split(text).is_some_and(|(host, _)| is_plain_name(host) || Host::parse(host).is_some())
    }
}

impl Host {
    /// Reads it; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Option<Host> {
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

/// The host, and the port or nothing.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = match text.strip_prefix('[') {
        Some(address) => address.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    let port = match rest.strip_prefix(':') {
        Some(port) => port,
        None if rest.is_empty() => "",
        None => return None,
    };
    let is_port =
        port.is_empty() || (port.bytes().all(|it| it.is_ascii_digit()) && port.parse::<u16>().is_ok());
    (text.is_ascii() && !host.is_empty() && is_port).then_some((host, port))
}

/// Whether it is a name beyond doubt, which saves most requests a closer look.
fn is_plain_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.starts_with(|it: char| it.is_ascii_lowercase())
        && host.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b".-".contains(&it))
        && !host.split('.').any(|label| label.is_empty() || label.starts_with("xn--"))
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
