//! Checks of a request's target and `Host` that hyper does not make.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a text is `uri-host [ ":" port ]` (RFC 9110 section 7.2) and valid in a URL: the `request.url` of handlers has
/// this host.
pub fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (host, rest) = if let Some(inner) = text.strip_prefix('[') {
        let Some((address, rest)) = inner.split_once(']') else { return false };
        if address.parse::<Ipv6Addr>().is_err() {
            return false;
        }
        (address, rest)
    } else {
        let of_name = |it: u8| it.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&it);
        text.split_at(text.bytes().take_while(|it| of_name(*it)).count())
    };
    let is_port = |port: &str| {
        port.bytes().all(|it| it.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok())
    };
    let has_port = rest.strip_prefix(':').map_or(rest.is_empty(), is_port);
    has_port && !host.is_empty() && (text.starts_with('[') || is_name(host))
}

/// Whether a name, or an IPv4 address, is valid in a URL as browsers parse it (WHATWG URL, host parsing).
fn is_name(host: &str) -> bool {
    if host.parse::<Ipv4Addr>().is_ok() || is_plain_name(host) {
        return true;
    }
    // Few hosts get here: `%41`, `xn--...`, `1.2.3` and the like have rules of their own.
    url::Host::parse(host).is_ok()
}

/// Whether a name consists of plain labels, of which the last one is not a number.
fn is_plain_name(host: &str) -> bool {
    let of_label = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    let is_plain = |label: &str| {
        !label.is_empty() && label.len() < 64 && !has_ace_prefix(label) && label.bytes().all(of_label)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() < 254 && host.split('.').all(is_plain) && !last.starts_with(|it: char| it.is_ascii_digit())
}

/// Whether a label is encoded with Punycode (RFC 5890 section 2.3.2.5).
fn has_ace_prefix(label: &str) -> bool {
    label.as_bytes().get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
}

/// Whether a path stays the same when it is resolved: without `.` and `..` segments, and without `\`, which URLs of
/// browsers treat as `/`. The router matches segments as they were sent and handlers see the resolved URL, so both must
/// be the same.
pub fn is_resolved(path: &str) -> bool {
    if memchr::memchr3(b'.', b'%', b'\\', path.as_bytes()).is_none() {
        return true;
    }
    let without_dot = |segment: &mut &[u8]| match *segment {
        [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => {
            *segment = rest;
            true
        }
        _ => false,
    };
    path.as_bytes().split(|&it| it == b'/').all(|mut segment| {
        if segment.contains(&b'\\') {
            return false;
        }
        let dots = without_dot(&mut segment) && (segment.is_empty() || without_dot(&mut segment));
        !(dots && segment.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_or_without_a_port() {
        for host in [
            "x",
            "a-b.example",
            "a_b:8080",
            "127.0.0.1:",
            "[::1]",
            "[::ffff:1.2.3.4]:80",
            "%41",
            "x.",
            "1.example",
            "xn--bcher-kva.example",
            "X",
            "x:65535",
            "0x7f.1",
            "a~b",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "x y",
            "x/",
            "u@x",
            "x:y",
            "x:1:2",
            "x, y",
            "[::1",
            "[x]",
            "[::1]x",
            "::1",
            "x\u{e9}",
            "x?",
            "x\\",
            "",
            ":",
            ":80",
            "x:65536",
            "x:99999999999",
            "%",
            "%zz",
            "%00",
            "%2f",
            "%20",
            "256.256.256.256",
            "1.2.3.4.5",
            "[]",
            "[1]",
            "[:::]",
            "[::1.2.3]",
            "[::1]]",
            "xn--",
            "xn--a\u{fc}",
            "x,y",
            "a.xn--0",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn paths_lead_down() {
        for path in
            ["/", "/a.b", "/...", "/.a", "/..a/b..", "/%2e%2e%2e", "/.liveline/x", "/a%2f..", "/%5c", "*"]
        {
            assert!(is_resolved(path), "{path}");
        }
        for path in
            ["/.", "/..", "/a/../b", "/a/./b", "/%2e", "/.%2E/a", "/%2e%2e", "/a\\b", "/\\..\\a", "/.\\"]
        {
            assert!(!is_resolved(path), "{path}");
        }
    }
}
