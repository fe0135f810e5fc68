//! Where the requests of a connection begin and end, as their bytes say: a second look, for what hyper passes over.
//!
//! hyper reads the same bytes and decides what a request is. Where a head gives two lengths it takes one and forgets
//! the other, as a server may (RFC 9112 section 6.1); a proxy in front may have taken the other one. Nothing in here
//! answers: it says which request, by its number on the connection, must not be served.

/// The requests of one connection, followed byte by byte.
#[derive(Debug, Default)]
pub struct Framing {
    at: At,
    /// The beginning of a line of which the rest has not come.
    line: Vec<u8>,
    /// Heads that came to their end.
    heads: usize,
    /// The first request that must not be served, nor any after it.
    refused: Option<usize>,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum At {
    Head(Head),
    /// A body, or a chunk with its end of line: so many bytes are left.
    Body(u64),
    Chunk(u64),
    ChunkSize,
    Trailer,
    /// Nobody can tell.
    Lost,
}

/// What the lines of a head said so far.
#[derive(Debug, Default)]
struct Head {
    began: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Default for At {
    fn default() -> At {
        At::Head(Head::default())
    }
}

impl Framing {
    /// Whether the connection's request of this number, from 0, must not be served.
    pub fn refuses(&self, number: usize) -> bool {
        self.refused.is_some_and(|refused| number >= refused)
    }

    /// Follows the next bytes of the connection.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Lost => return,
                At::Body(left) | At::Chunk(left) => {
                    let skipped = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    match self.at {
                        At::Body(0) => self.at = At::default(),
                        At::Chunk(0) => self.at = At::ChunkSize,
                        _ => {}
                    }
                }
                At::Head(_) | At::ChunkSize | At::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', bytes) else {
                        // hyper ends what gets longer than a head or a chunk's line may be.
                        self.line.extend_from_slice(bytes);
                        return;
                    };
                    let (line, rest) = bytes.split_at(end + 1);
                    if self.line.is_empty() {
                        self.line(line);
                    } else {
                        let mut whole = std::mem::take(&mut self.line);
                        whole.extend_from_slice(line);
                        self.line(&whole);
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// Takes a whole line.
    fn line(&mut self, line: &[u8]) {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            // Some servers end a line here and some do not.
            return self.lose();
        };
        self.at = match std::mem::replace(&mut self.at, At::Lost) {
            // Empty lines before a request mean nothing (RFC 9112 section 2.2).
            At::Head(head) if line.is_empty() && !head.began => At::Head(head),
            At::Head(head) if line.is_empty() => {
                self.heads += 1;
                match head {
                    Head { chunked: true, .. } => At::ChunkSize,
                    Head { length: Some(length @ 1..), .. } => At::Body(length),
                    _ => At::default(),
                }
            }
            At::Head(head) => match head.with(line) {
                Some(head) => At::Head(head),
                None => return self.lose(),
            },
            At::ChunkSize => match chunk_size(line) {
                Some(0) => At::Trailer,
                Some(size) => At::Chunk(size + 2),
                None => return self.lose(),
            },
            At::Trailer if line.is_empty() => At::default(),
            at => at,
        };
    }

    /// From the request on whose head has not ended, none can be told from the bytes of another.
    fn lose(&mut self) {
        self.at = At::Lost;
        self.refused = Some(self.heads);
    }
}

impl Head {
    /// With one more line of it; `None` where the body would have two lengths, or one that is no number.
    fn with(mut self, line: &[u8]) -> Option<Head> {
        self.began = true;
        if let Some(value) = field(line, b"content-length:") {
            let length = decimal(value.trim_ascii())?;
            if self.chunked || self.length.replace(length).is_some() {
                return None;
            }
        } else if field(line, b"transfer-encoding:").is_some() {
            if self.chunked || self.length.is_some() {
                return None;
            }
            self.chunked = true;
        }
        Some(self)
    }
}

/// The value of a field, if the line is of this one.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?;
    digits.parse().ok()
}

/// A chunk's size, without its extensions (RFC 9112 section 7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|&it| it == b';').next().unwrap_or_default().trim_ascii_end();
    let size = std::str::from_utf8(size).ok().filter(|text| text.bytes().all(|it| it.is_ascii_hexdigit()))?;
    u64::from_str_radix(size, 16).ok().filter(|size| *size < u64::MAX - 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Which request is refused, when the bytes come in pieces of this size.
    fn refused(bytes: &str, piece: usize) -> Option<usize> {
        let mut framing = Framing::default();
        bytes.as_bytes().chunks(piece).for_each(|piece| framing.follow(piece));
        framing.refused
    }

    const GOOD: &str = "\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 31\r\n\r\n\
        Content-Length: 1\nand so on\r\n\r\n\
        POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        1C;a=b\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n\r\n\r\n0\r\nContent-Length: 5\r\n\r\n\
        GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn bodies_are_passed_over() {
        for piece in 1..GOOD.len() {
            assert_eq!(refused(GOOD, piece), None, "{piece}");
        }
    }

    #[test]
    fn what_is_ambiguous_is_refused_and_all_that_follows() {
        for bad in [
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\n",
        ] {
            for piece in 1..bad.len() {
                assert_eq!(refused(&format!("{GOOD}{bad}{GOOD}"), piece), Some(3), "{bad:?} {piece}");
            }
        }
        let framing = Framing { refused: Some(3), ..Framing::default() };
        assert_eq!([2, 3, 4].map(|number| framing.refuses(number)), [false, true, true]);
    }

    #[test]
    fn a_chunk_that_cannot_be_read_spoils_what_follows_its_request() {
        for chunks in ["x\r\n", "\r\n", "-1\r\n", "ffffffffffffffff\r\n", "1\nx\r\n", "10000000000000000\r\n"]
        {
            let bytes = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert_eq!(refused(&bytes, 7), Some(1), "{chunks:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_mean_the_same(
            lines in "(POST / HTTP/1.1\r\n|Content-Length: [0-9]{1,2}\r\n|Transfer-Encoding: chunked\r\n|\
                \r\n|\n|[0-9a-f]{1,2}\r\n|[a-z]{0,9}){0,30}",
            piece in 1..40_usize,
        ) {
            prop_assert_eq!(refused(&lines, piece), refused(&lines, usize::MAX));
        }
    }
}
