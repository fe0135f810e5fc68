//! What proxies declare about a request: `X-Forwarded-*`, or `Forwarded` (RFC 7239).
//!
//! Each proxy appends the address that it received the request from. So the last address is the peer's declaration, and is
//! trusted if the peer is a trusted proxy; the one before is trusted if the last address is a trusted proxy's; and so on.
//! The first address from the end that is not a trusted proxy's is the visitor's. Everything before it is the visitor's
//! own text.
//!
//! If a request has any of `X-Forwarded-For`, `-Proto` and `-Host`, its `Forwarded` is not read: a proxy that writes one of
//! the two forms passes the other on unchanged, and nearly all write the former.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{FORWARDED, HeaderName, HeaderValue};

use super::{Authority, Peer, Proxies};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The client that sent a request, as trusted proxies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requester {
    pub address: IpAddr,
    /// Whether the client uses TLS; `None` if that is not declared.
    pub is_secure: Option<bool>,
}

/// What the proxies of a request declare.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub requester: Requester,
    /// The host that the visitor named, if the proxies replaced it.
    pub host: Option<String>,
}

/// The declaration of a proxy that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("The request's Forwarded header cannot be read.")]
    Forwarded,
    #[error("The host or the port that a proxy names for the request cannot be read.")]
    Host,
}

impl Requester {
    /// The peer of the connection.
    pub(crate) fn of(peer: &Peer) -> Requester {
        Requester { address: peer.address, is_secure: peer.is_secure }
    }
}

impl Forwarded {
    /// Reads the headers of a request from `peer`. `named` is its `Host`.
    pub(crate) fn read(
        headers: &HeaderMap,
        peer: &Peer,
        named: Option<&str>,
        proxies: &Proxies,
    ) -> Result<Forwarded, Malformed> {
        let nothing = Forwarded { requester: Requester::of(peer), host: None };
        if !peer.is_proxy {
            return Ok(nothing);
        }
        if [FOR, PROTO, HOST].iter().any(|name| headers.contains_key(name)) {
            return by_fields(headers, peer, named, proxies);
        }
        if headers.contains_key(FORWARDED) {
            return by_elements(headers, peer, proxies);
        }
        Ok(nothing)
    }
}

/// Reads `X-Forwarded-*`.
fn by_fields(
    headers: &HeaderMap,
    peer: &Peer,
    named: Option<&str>,
    proxies: &Proxies,
) -> Result<Forwarded, Malformed> {
    let mut requester = Requester::of(peer);
    let mut words = 0;
    for word in list(headers, &FOR).iter().rev() {
        words += 1;
        // If it is no address, the last known one counts.
        let Some(address) = address_of(word) else { break };
        requester.address = address;
        if !proxies.contain(address) {
            break;
        }
    }
    // The proxy that wrote the visitor's address wrote the other facts at the same position, counted from the end.
    let same = |name: &HeaderName| {
        let list = list(headers, name);
        let place = list.len().saturating_sub(words.max(1));
        list.get(place).map(|word| (*word).to_owned())
    };
    if let Some(is_secure) = same(&PROTO).as_deref().and_then(is_secure) {
        requester.is_secure = Some(is_secure);
    }
    let host = same(&HOST);
    let port = same(&PORT).map(|port| port.parse::<u16>().map_err(|_| Malformed::Host)).transpose()?;
    let host = match (host, named, port) {
        (Some(host), ..) if !Authority::is_valid(&host) => return Err(Malformed::Host),
        (Some(host), _, port) => Some(with_port(&host, port).unwrap_or(host)),
        (None, Some(named), port) => with_port(named, port),
        (None, None, _) => None,
    };
    Ok(Forwarded { requester, host })
}

/// A host with the port that a proxy declares in a header of its own, unless the host has one. Default ports are ignored:
/// often they are those of another proxy on the way.
fn with_port(host: &str, port: Option<u16>) -> Option<String> {
    let port = port.filter(|port| ![80, 443].contains(port))?;
    let has_port = Authority::parse(host).is_none_or(|authority| authority.port.is_some());
    (!has_port).then(|| format!("{host}:{port}"))
}

/// Reads `Forwarded`.
fn by_elements(headers: &HeaderMap, peer: &Peer, proxies: &Proxies) -> Result<Forwarded, Malformed> {
    let mut elements = Vec::new();
    for field in headers.get_all(FORWARDED) {
        elements_of(field, &mut elements).ok_or(Malformed::Forwarded)?;
    }
    let mut forwarded = Forwarded { requester: Requester::of(peer), host: None };
    for element in elements.iter().rev() {
        if let Some(is_secure) = element.proto.as_deref().and_then(is_secure) {
            forwarded.requester.is_secure = Some(is_secure);
        }
        if let Some(host) = &element.host {
            forwarded.host = Some(host.clone()).filter(|host| Authority::is_valid(host));
            if forwarded.host.is_none() {
                return Err(Malformed::Forwarded);
            }
        }
        let Some(address) = element.node.as_deref().and_then(address_of) else { break };
        forwarded.requester.address = address;
        if !proxies.contain(address) {
            break;
        }
    }
    Ok(forwarded)
}

/// The declaration of one proxy.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

/// Parses one field: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`.
fn elements_of(field: &HeaderValue, elements: &mut Vec<Element>) -> Option<()> {
    let mut rest = field.to_str().ok()?.trim();
    let mut element = Element::default();
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        let slot = match name.trim_ascii_start().to_ascii_lowercase().as_str() {
            "for" => Some(&mut element.node),
            "proto" => Some(&mut element.proto),
            "host" => Some(&mut element.host),
            name if !name.is_empty() && name.bytes().all(is_of_token) => None,
            _ => return None,
        };
        // Each parameter may occur once.
        if let Some(slot) = slot
            && slot.replace(value).is_some()
        {
            return None;
        }
        let after = after.trim_ascii_start();
        if after.is_empty() || after.starts_with(',') {
            elements.push(std::mem::take(&mut element));
        }
        if after.is_empty() {
            return Some(());
        }
        rest = after.strip_prefix([';', ','])?;
    }
}

/// A token or a quoted string, and the rest after it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().take_while(|it| is_of_token(*it)).count();
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// Whether a byte may be in a token (RFC 9110 section 5.6.2), or in an address that lacks its quotes.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&byte)
}

/// The members of a list, in all fields of a name.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let fields = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?"));
    fields.flat_map(|field| field.split(',')).map(str::trim).filter(|word| !word.is_empty()).collect()
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => address,
            _ => text,
        },
    };
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn is_secure(proto: &str) -> Option<bool> {
    match proto.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PEER: &str = "10.0.0.1";

    fn read(headers: &[(&str, &str)]) -> Result<(String, Option<bool>, Option<String>), Malformed> {
        read_from(PEER, headers)
    }

    fn read_from(
        peer: &str,
        headers: &[(&str, &str)],
    ) -> Result<(String, Option<bool>, Option<String>), Malformed> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let address = peer.parse().expect("an address");
        let peer = Peer { address, is_secure: None, is_proxy: proxies.contain(address) };
        let named = map.get("host").map(|host| host.to_str().expect("a text").to_owned());
        let Forwarded { requester, host } = Forwarded::read(&map, &peer, named.as_deref(), &proxies)?;
        Ok((requester.address.to_string(), requester.is_secure, host))
    }

    fn seen(
        address: &str,
        is_secure: Option<bool>,
        host: Option<&str>,
    ) -> Result<(String, Option<bool>, Option<String>), Malformed> {
        Ok((address.to_owned(), is_secure, host.map(str::to_owned)))
    }

    #[test]
    fn strangers_are_not_believed() {
        let headers =
            [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "a")];
        assert_eq!(read_from("192.0.2.9", &headers), seen("192.0.2.9", None, None));
        assert_eq!(read_from("192.0.2.9", &[("forwarded", "for=1.1.1.1")]), seen("192.0.2.9", None, None));
    }

    #[test]
    fn the_first_address_from_the_end_that_is_not_ours_is_the_visitors() {
        for (list, address) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, unknown", PEER),
            ("1.1.1.1, junk, 10.0.0.2", "10.0.0.2"),
            ("", PEER),
        ] {
            assert_eq!(read(&[("x-forwarded-for", list)]), seen(address, None, None), "{list}");
        }
        let fields = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(read(&fields), seen("203.0.113.9", None, None));
    }

    #[test]
    fn scheme_and_host_stand_where_the_address_does() {
        let with = |list: &str, proto: &str| read(&[("x-forwarded-for", list), ("x-forwarded-proto", proto)]);
        assert_eq!(with("203.0.113.9", "https"), seen("203.0.113.9", Some(true), None));
        // The first address is the visitor's own text.
        assert_eq!(with("1.1.1.1, 203.0.113.9", "https, http"), seen("203.0.113.9", Some(false), None));
        assert_eq!(with("203.0.113.9, 10.0.0.2", "https, http"), seen("203.0.113.9", Some(true), None));
        assert_eq!(with("203.0.113.9, 10.0.0.2", "https"), seen("203.0.113.9", Some(true), None));
        assert_eq!(with("203.0.113.9", "gopher"), seen("203.0.113.9", None, None));
        let hosts = [("x-forwarded-host", "evil.example, shop.example")];
        assert_eq!(read(&hosts), seen(PEER, None, Some("shop.example")));
        assert_eq!(read(&[("x-forwarded-host", "a b")]), Err(Malformed::Host));
    }

    #[test]
    fn a_port_is_added_unless_it_is_a_default() {
        let with = |host: &str, proto: &str, port: &str| {
            let fields = [("host", host), ("x-forwarded-proto", proto), ("x-forwarded-port", port)];
            read(&fields).map(|(_, _, host)| host)
        };
        assert_eq!(with("shop.example", "https", "8443"), Ok(Some("shop.example:8443".to_owned())));
        assert_eq!(with("shop.example:1", "https", "8443"), Ok(None));
        assert_eq!(with("shop.example", "https", "443"), Ok(None));
        assert_eq!(with("shop.example", "https", "80"), Ok(None));
        assert_eq!(with("shop.example", "http", "443"), Ok(None));
        assert_eq!(with("shop.example", "https", "x"), Err(Malformed::Host));
        let both = [("x-forwarded-host", "a.example"), ("x-forwarded-port", "81")];
        assert_eq!(read(&both), seen(PEER, None, Some("a.example:81")));
    }

    #[test]
    fn elements_of_forwarded_are_read_from_the_end() {
        for (text, expected) in [
            (
                "for=203.0.113.9;proto=https;host=shop.example",
                seen("203.0.113.9", Some(true), Some("shop.example")),
            ),
            ("For=\"[2001:db8::1]:4711\"", seen("2001:db8::1", None, None)),
            ("for=1.1.1.1, for=203.0.113.9", seen("203.0.113.9", None, None)),
            ("for=203.0.113.9;proto=https, for=10.0.0.2;proto=http", seen("203.0.113.9", Some(true), None)),
            ("for=203.0.113.9, for=10.0.0.2;proto=https", seen("203.0.113.9", Some(true), None)),
            ("for=1.1.1.1;host=evil, for=203.0.113.9", seen("203.0.113.9", None, None)),
            ("for=_hidden;proto=https", seen(PEER, Some(true), None)),
            ("by=10.0.0.1;for=\"203.0.113.9\" ; secret=\"a\\\"b,c\"", seen("203.0.113.9", None, None)),
            ("for", Err(Malformed::Forwarded)),
            ("for=\"1.1.1.1", Err(Malformed::Forwarded)),
            ("for=1.1.1.1;for=2.2.2.2", Err(Malformed::Forwarded)),
            ("host=\"a b\"", Err(Malformed::Forwarded)),
            ("for=1.1.1.1,", Err(Malformed::Forwarded)),
            ("", Err(Malformed::Forwarded)),
        ] {
            assert_eq!(read(&[("forwarded", text)]), expected, "{text}");
        }
    }

    #[test]
    fn forwarded_is_not_read_beside_the_usual_fields() {
        let both = [("forwarded", "for=1.1.1.1;proto=http"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(read(&both), seen("203.0.113.9", None, None));
    }

    proptest! {
        /// A proxy appends, so the text that a visitor wrote before changes nothing.
        #[test]
        fn forwarded_any_words_of_a_visitor_change_nothing(text in "[ -~]{0,40}") {
            let with = format!("{text}, 203.0.113.9");
            prop_assert_eq!(read(&[("x-forwarded-for", &with)]), seen("203.0.113.9", None, None));
            let fields = [("forwarded", &*text), ("forwarded", "for=203.0.113.9;proto=https;host=a")];
            let expected = seen("203.0.113.9", Some(true), Some("a"));
            let read = read(&fields);
            prop_assert!(read == expected || read == Err(Malformed::Forwarded), "{:?}", read);
        }
    }
}
