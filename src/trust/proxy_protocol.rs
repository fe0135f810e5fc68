//! The PROXY protocol, versions 1 and 2: before a client's first byte, a proxy sends a header that names the client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The first bytes of every header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The first bytes of a header of version 1. A request whose method is `PROXY` begins with others.
const LINES: [&[u8]; 3] = [b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"];
/// Bytes of a header of version 1, with its end of line.
const LONGEST_LINE: usize = 107;
/// Bytes of a header of version 2: addresses take 36, and the rest is further fields.
pub(crate) const LONGEST: usize = 4096;
/// The field with facts about TLS, and its bit for a client that uses TLS.
const SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 1;

/// The first bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// More bytes are needed.
    Unknown,
    /// They are the client's.
    Client,
    /// They are a header of this length.
    Header(Header, usize),
}

/// The client of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// `None` if the connection is the proxy's own, or the proxy does not know the client.
    pub source: Option<SocketAddr>,
    /// Whether the client uses TLS, if the proxy declares it.
    pub is_secure: Option<bool>,
}

/// Why a header is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its PROXY protocol header is malformed")]
pub(crate) struct ProxyProtocolError;

/// Reads the first bytes of a connection.
pub(crate) fn read(bytes: &[u8]) -> Result<Beginning, ProxyProtocolError> {
    let may_be = |start: &[u8]| start.starts_with(bytes);
    if bytes.starts_with(SIGNATURE) {
        read_binary(bytes)
    } else if LINES.iter().any(|start| bytes.starts_with(start)) {
        read_line(bytes)
    } else if may_be(SIGNATURE) || LINES.iter().any(|start| may_be(start)) {
        Ok(Beginning::Unknown)
    } else {
        Ok(Beginning::Client)
    }
}

fn read_line(bytes: &[u8]) -> Result<Beginning, ProxyProtocolError> {
    let most = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = most.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE { Ok(Beginning::Unknown) } else { Err(ProxyProtocolError) };
    };
    let line = std::str::from_utf8(&most[..end]).map_err(|_| ProxyProtocolError)?;
    let words: Vec<_> = line.split(' ').collect();
    let source = match words[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, destination, from, to] => {
            let end =
                |it: &str, at: &str| Some(SocketAddr::new(address(family, it)?.to_canonical(), port(at)?));
            // The destination is required, too.
            end(destination, to).ok_or(ProxyProtocolError)?;
            Some(end(source, from).ok_or(ProxyProtocolError)?)
        }
        _ => return Err(ProxyProtocolError),
    };
    Ok(Beginning::Header(Header { source, is_secure: None }, end + 2))
}

fn address(family: &str, text: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => None,
    }
}

fn port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|it| it.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number)
}

fn read_binary(bytes: &[u8]) -> Result<Beginning, ProxyProtocolError> {
    let Some((&[version, family, high, low], rest)) = bytes[SIGNATURE.len()..].split_first_chunk::<4>()
    else {
        return Ok(Beginning::Unknown);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = SIGNATURE.len() + 4 + length;
    if whole > LONGEST || !matches!(version, 0x20 | 0x21) {
        return Err(ProxyProtocolError);
    }
    let Some(body) = rest.get(..length) else { return Ok(Beginning::Unknown) };
    // The command LOCAL: the proxy checks the health of the server. The addresses are ignored.
    let nobody = Header { source: None, is_secure: None };
    if version == 0x20 {
        return Ok(Beginning::Header(nobody, whole));
    }
    let (source, fields) = match family {
        0x11 => {
            let (&[a, b, c, d, _, _, _, _, high, low, _, _], rest) =
                body.split_first_chunk::<12>().ok_or(ProxyProtocolError)?;
            (Some((IpAddr::from([a, b, c, d]), [high, low])), rest)
        }
        0x21 => {
            let (addresses, rest) = body.split_first_chunk::<36>().ok_or(ProxyProtocolError)?;
            let source: [u8; 16] = addresses[..16].try_into().expect("a slice of sixteen bytes");
            (Some((IpAddr::from(source).to_canonical(), [addresses[32], addresses[33]])), rest)
        }
        // The client is not connected by IP.
        0x31 => (None, body.get(216..).ok_or(ProxyProtocolError)?),
        0x00 => return Ok(Beginning::Header(nobody, whole)),
        _ => return Err(ProxyProtocolError),
    };
    let source = source.map(|(address, port)| SocketAddr::new(address, u16::from_be_bytes(port)));
    Ok(Beginning::Header(Header { source, is_secure: is_secure(fields)? }, whole))
}

/// Finds the field about TLS among those that follow the addresses.
fn is_secure(mut fields: &[u8]) -> Result<Option<bool>, ProxyProtocolError> {
    let mut is_secure = None;
    while !fields.is_empty() {
        let (&[kind, high, low], rest) = fields.split_first_chunk::<3>().ok_or(ProxyProtocolError)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(length).ok_or(ProxyProtocolError)?;
        if kind == SSL {
            let &[client, ..] = value.get(..5).ok_or(ProxyProtocolError)? else {
                return Err(ProxyProtocolError);
            };
            is_secure = Some(client & CLIENT_SSL != 0);
        }
        fields = rest;
    }
    Ok(is_secure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from(source: &str, is_secure: Option<bool>) -> Header {
        Header { source: Some(source.parse().expect("an address")), is_secure }
    }

    fn binary(version: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).expect("it is short").to_be_bytes();
        [SIGNATURE, &[version, family][..], &length, body].concat()
    }

    const IPV4: [u8; 12] = [203, 0, 113, 9, 192, 0, 2, 1, 0xd4, 0x31, 0x01, 0xbb];

    #[test]
    fn lines_are_read_to_their_end() {
        for (line, header) in [
            ("PROXY TCP4 203.0.113.9 192.0.2.1 54321 443\r\n", from("203.0.113.9:54321", None)),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 1 0\r\n", from("[2001:db8::1]:1", None)),
            ("PROXY UNKNOWN\r\n", Header { source: None, is_secure: None }),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", Header { source: None, is_secure: None }),
        ] {
            let whole = format!("{line}GET / HTTP/1.1\r\n");
            assert_eq!(read(whole.as_bytes()), Ok(Beginning::Header(header, line.len())), "{line}");
            for end in 0..line.len() {
                assert_eq!(read(&line.as_bytes()[..end]), Ok(Beginning::Unknown), "{line} to {end}");
            }
        }
    }

    #[test]
    fn binary_headers_are_read_to_their_end() {
        let ipv6 = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0, 7, 0, 80]].concat();
        let tls = [&IPV4[..], &[0x20, 0, 5, 1, 0, 0, 0, 0], &[0x04, 0, 1, 0]].concat();
        let plain = [&IPV4[..], &[0x20, 0, 5, 0, 0, 0, 0, 0]].concat();
        let nobody = Header { source: None, is_secure: None };
        for (bytes, header) in [
            (binary(0x21, 0x11, &IPV4), from("203.0.113.9:54321", None)),
            (binary(0x21, 0x21, &ipv6), from("[2001:db8::1]:7", None)),
            (binary(0x21, 0x11, &tls), from("203.0.113.9:54321", Some(true))),
            (binary(0x21, 0x11, &plain), from("203.0.113.9:54321", Some(false))),
            (binary(0x20, 0x11, &IPV4), nobody),
            (binary(0x20, 0, &[]), nobody),
            (binary(0x21, 0, &[1, 2]), nobody),
            (binary(0x21, 0x31, &[0; 216]), nobody),
        ] {
            let whole = [&bytes[..], b"GET"].concat();
            assert_eq!(read(&whole), Ok(Beginning::Header(header, bytes.len())));
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Ok(Beginning::Unknown), "to {end}");
            }
        }
    }

    #[test]
    fn malformed_headers_are_violations() {
        for line in [
            "PROXY TCP4 203.0.113.9 192.0.2.1 54321\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 54321 443 1\r\n",
            "PROXY TCP4 203.0.113.9  192.0.2.1 1 2\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n",
            "PROXY TCP4 203.0.113.009 192.0.2.1 1 2\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 01 2\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 +1 2\r\n",
            "PROXY UNKNOWNX\r\n",
        ] {
            assert_eq!(read(line.as_bytes()), Err(ProxyProtocolError), "{line}");
        }
        assert_eq!(read(&[&b"PROXY TCP4 "[..], &[b'1'; LONGEST_LINE]].concat()), Err(ProxyProtocolError));
        for bytes in [
            binary(0x11, 0x11, &IPV4),
            binary(0x22, 0x11, &IPV4),
            binary(0x21, 0x12, &IPV4),
            binary(0x21, 0x11, &IPV4[..11]),
            binary(0x21, 0x21, &IPV4),
            binary(0x21, 0x31, &IPV4),
            binary(0x21, 0x11, &[&IPV4[..], &[4, 0]].concat()),
            binary(0x21, 0x11, &[&IPV4[..], &[4, 0, 2, 1]].concat()),
            binary(0x21, 0x11, &[&IPV4[..], &[SSL, 0, 1, 1]].concat()),
            binary(0x21, 0x11, &[0; LONGEST]),
        ] {
            assert_eq!(read(&bytes), Err(ProxyProtocolError));
        }
    }

    #[test]
    fn requests_are_their_clients_own_bytes() {
        for text in ["GET / HTTP/1.1\r\n", "PROXY / HTTP/1.1\r\n", "PUT ", "\r\nGET", "\r\n\r\n\0\r\nQUIX"] {
            assert_eq!(read(text.as_bytes()), Ok(Beginning::Client), "{text}");
        }
    }

    proptest! {
        /// More bytes do not change what was read.
        #[test]
        fn any_bytes_are_read_the_same_in_pieces(
            start in 0_usize..4,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            end in any::<prop::sample::Index>(),
        ) {
            let start: &[u8] = [SIGNATURE, LINES[0], LINES[2], b""][start];
            let whole = [start, &bytes].concat();
            let part = &whole[..end.index(whole.len() + 1)];
            if let Ok(read_first) = read(part) && read_first != Beginning::Unknown {
                prop_assert_eq!(Ok(read_first), read(&whole));
            }
        }
    }
}
