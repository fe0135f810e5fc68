//! Where the requests of a connection begin and end: a guard against request smuggling.
//!
//! hyper parses the same bytes and decides what a request is. If a head has two lengths it uses one and ignores the
//! other, as a server may (RFC 9112 section 6.1); a proxy in front may have used the other one. This module does not
//! answer requests: it tells which request, by its number on the connection, must not be served. Bytes that are not a
//! valid rest of a body are not passed to hyper.

use super::chunks::{self, Extensions};

/// Why a request and those after it must not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Two parsers may disagree about its end.
    Ambiguous,
    /// Its target has a fragment.
    Fragment,
}

/// The requests of one connection, followed byte by byte.
#[derive(Debug, Default)]
pub struct Framing {
    at: At,
    /// The beginning of a line that is not complete.
    line: Vec<u8>,
    /// How many heads are complete.
    heads: usize,
    /// The number of the first request that must not be served, and why.
    refused: Option<(usize, Unreadable)>,
    /// The rest of a body is malformed.
    is_broken: bool,
    /// The connection may switch to another protocol, whose bytes must not be changed.
    may_upgrade: bool,
    /// The chunk extensions of the current body.
    extensions: Extensions,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum At {
    Head(Head),
    /// A body, or a chunk with its line break: this many bytes are left.
    Body(u64),
    Chunk(u64),
    ChunkSize,
    Trailer,
    /// Unknown: an earlier request was ambiguous.
    Lost,
}

/// The lines of a head so far.
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
    /// Why the connection's request with this number, counted from 0, must not be served. `None`: it may be.
    pub fn unreadable(&self, number: usize) -> Option<Unreadable> {
        self.refused.filter(|(refused, _)| number >= *refused).map(|(_, reason)| reason)
    }

    /// Whether the rest of a body is malformed.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Follows the next bytes of the connection and merges small chunks in place. Returns how many bytes are left. The
    /// malformed rest of a body is not among them.
    pub fn follow(&mut self, bytes: &mut [u8]) -> usize {
        // Bytes before `read` were followed; bytes before `kept` are what is left of them.
        let (mut read, mut kept) = (0, 0);
        while read < bytes.len() && !self.is_broken {
            let rest = &bytes[read..];
            let taken = match &mut self.at {
                At::Lost => rest.len(),
                At::Body(left) | At::Chunk(left) => {
                    let skipped = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= skipped as u64;
                    match self.at {
                        At::Body(0) => self.at = At::default(),
                        At::Chunk(0) => self.at = At::ChunkSize,
                        _ => {}
                    }
                    skipped
                }
                At::ChunkSize if self.line.is_empty() && !self.may_upgrade => {
                    let merged = chunks::merge(&mut bytes[read..], &mut self.extensions);
                    if merged.read > 0 {
                        bytes.copy_within(read..read + merged.kept, kept);
                        kept += merged.kept;
                        read += merged.read;
                        continue;
                    }
                    self.take_line(&bytes[read..])
                }
                At::Head(_) | At::ChunkSize | At::Trailer => self.take_line(rest),
            };
            if self.is_broken {
                break;
            }
            if kept < read {
                bytes.copy_within(read..read + taken, kept);
            }
            kept += taken;
            read += taken;
        }
        kept
    }

    /// Follows a line, or the part of it that is here. Returns its length.
    fn take_line(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            // hyper limits the length of a head.
            self.line.extend_from_slice(bytes);
            if matches!(self.at, At::ChunkSize) && self.line.len() > chunks::LINE_BYTES {
                self.break_off();
            }
            return bytes.len();
        };
        let line = &bytes[..=end];
        if self.line.is_empty() {
            self.line(line);
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(line);
            self.line(&whole);
        }
        line.len()
    }

    /// Follows a whole line.
    fn line(&mut self, line: &[u8]) {
        let Some(line) = line.strip_suffix(b"\r\n") else {
            // Some parsers end a line at a bare LF and some do not.
            return self.lose(Unreadable::Ambiguous);
        };
        self.at = match std::mem::replace(&mut self.at, At::Lost) {
            // Empty lines before a request are ignored (RFC 9112 section 2.2).
            At::Head(head) if line.is_empty() && !head.began => At::Head(head),
            At::Head(head) if line.is_empty() => {
                self.heads += 1;
                self.extensions = Extensions::default();
                match head {
                    Head { chunked: true, .. } => At::ChunkSize,
                    Head { length: Some(length @ 1..), .. } => At::Body(length),
                    _ => At::default(),
                }
            }
            At::Head(Head { began: false, .. }) if has_fragment(line) => {
                return self.lose(Unreadable::Fragment);
            }
            At::Head(head) => {
                self.may_upgrade |= field(line, b"upgrade:").is_some();
                match head.with(line) {
                    Some(head) => At::Head(head),
                    None => return self.lose(Unreadable::Ambiguous),
                }
            }
            At::ChunkSize => match chunks::size(line, &mut self.extensions) {
                Some(0) => At::Trailer,
                Some(size) => At::Chunk(size + 2),
                None => return self.break_off(),
            },
            At::Trailer if line.is_empty() => At::default(),
            at => at,
        };
    }

    /// The current request and all after it must not be served.
    fn lose(&mut self, reason: Unreadable) {
        let is_body = matches!(self.at, At::ChunkSize | At::Trailer);
        self.at = At::Lost;
        self.refused = Some((self.heads, reason));
        self.is_broken |= is_body;
    }

    /// The current body is malformed: its rest, and all requests after it, must not be served.
    fn break_off(&mut self) {
        self.lose(Unreadable::Ambiguous);
        self.is_broken = true;
    }
}

impl Head {
    /// The head with one more line. `None`: the body has two lengths, or one that is not a number.
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

/// Whether the target in a request line has a fragment, which hyper cuts off. `#` may be part of a method.
fn has_fragment(line: &[u8]) -> bool {
    memchr::memchr(b' ', line).is_some_and(|at| memchr::memchr(b'#', &line[at..]).is_some())
}

/// The value of the field `name`, if the line is that field.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|it| it.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first request that is refused, with the bytes in pieces of this size.
    fn refused(bytes: &str, piece: usize) -> Option<usize> {
        let mut framing = Framing::default();
        for piece in bytes.as_bytes().chunks(piece) {
            framing.follow(&mut piece.to_vec());
        }
        framing.refused.map(|(number, _)| number)
    }

    /// What is left of the bytes, in pieces of this size.
    fn kept(bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let mut framing = Framing::default();
        let mut kept = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let length = framing.follow(&mut piece);
            kept.extend_from_slice(&piece[..length]);
        }
        (kept, framing.is_broken())
    }

    /// The body of the only request, decoded, and what follows it.
    fn decoded(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("digits");
        let mut rest = bytes.split_at(memchr::memmem::find(bytes, b"\r\n\r\n").expect("a head") + 4).1;
        let mut body = Vec::new();
        loop {
            let end = memchr::memmem::find(rest, b"\r\n").expect("a line");
            let digits = text(rest[..end].split(|it| *it == b';').next().expect("a size"));
            let size = usize::from_str_radix(digits.trim(), 16).expect("a size");
            rest = &rest[end + 2..];
            if size == 0 {
                return (body, rest.to_vec());
            }
            body.extend_from_slice(&rest[..size]);
            assert_eq!(&rest[size..size + 2], b"\r\n");
            rest = &rest[size + 2..];
        }
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
            "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET http://x/a?b#c HTTP/1.1\r\n\r\n",
        ] {
            for piece in 1..bad.len() {
                assert_eq!(refused(&format!("{GOOD}{bad}{GOOD}"), piece), Some(3), "{bad:?} {piece}");
            }
        }
        let framing = Framing { refused: Some((3, Unreadable::Ambiguous)), ..Framing::default() };
        assert_eq!([2, 3, 4].map(|number| framing.unreadable(number).is_some()), [false, true, true]);
    }

    #[test]
    fn a_chunk_that_cannot_be_read_spoils_what_follows_its_request() {
        for chunks in ["x\r\n", "\r\n", "-1\r\n", "ffffffffffffffff\r\n", "1\nx\r\n", "10000000000000000\r\n"]
        {
            let bytes = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
            assert_eq!(refused(&bytes, 7), Some(1), "{chunks:?}");
            assert!(kept(bytes.as_bytes(), 7).1, "{chunks:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_from_hyper() {
        let good = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let (left, is_broken) = kept(format!("{good}5;=\r\nworld\r\n0\r\n\r\n").as_bytes(), usize::MAX);
        assert_eq!((String::from_utf8_lossy(&left), is_broken), (good.into(), true));
    }

    #[test]
    fn small_chunks_become_large_ones() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let end = "0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        let bytes = format!("{head}{}{end}", "1;a=b\r\nx\r\n".repeat(1000));
        let (left, _) = kept(bytes.as_bytes(), usize::MAX);
        let merged = format!("{head}3e8\r\n{}\r\n{end}", "x".repeat(1000));
        assert_eq!(String::from_utf8_lossy(&left), merged);
    }

    #[test]
    fn bytes_of_another_protocol_stay_as_they_are() {
        let bytes = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\
            POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n";
        assert_eq!(kept(bytes.as_bytes(), usize::MAX).0, bytes.as_bytes());
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

        #[test]
        fn merged_chunks_hold_the_same_bytes(
            sizes in prop::collection::vec((0..400_usize, prop::bool::ANY), 0..40),
            piece in 1..3000_usize,
        ) {
            let mut bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            let mut body = Vec::new();
            for (number, (size, has_extension)) in sizes.into_iter().enumerate().filter(|(_, it)| it.0 > 0) {
                let data: Vec<u8> = (0..size).map(|at| b"\r\n0;ax"[(at * 7 + number) % 6]).collect();
                let extension = if has_extension { "; a=\"b;\"" } else { "" };
                bytes.extend_from_slice(format!("{size:X}{extension}\r\n").as_bytes());
                bytes.extend_from_slice(&data);
                bytes.extend_from_slice(b"\r\n");
                body.extend_from_slice(&data);
            }
            bytes.extend_from_slice(b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
            let (left, is_broken) = kept(&bytes, piece);
            prop_assert!(!is_broken && left.len() <= bytes.len());
            prop_assert_eq!(decoded(&left), (body, b"\r\nGET / HTTP/1.1\r\n\r\n".to_vec()));
        }
    }
}
