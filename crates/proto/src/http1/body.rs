//! The body of a request (RFC 9112 sections 6 and 7), found in the bytes of its connection.

use std::ops::Range;

use super::bytes::{token, value};
use super::chunks::{self, Extensions};
use super::head::BodyLength;

/// Bytes of the lines after the last chunk.
const TRAILER_BYTES: usize = 16 * 1024;

/// The rest of a body.
#[derive(Debug)]
pub(super) struct BodyDecoder {
    at: At,
}

/// What the next byte belongs to.
#[derive(Debug)]
enum At {
    /// The body: so many bytes are left.
    Body(u64),
    /// The first line of a chunk.
    ChunkLine(Extensions),
    /// A chunk: so many bytes are left.
    Chunk(u64, Extensions),
    /// The line break after a chunk.
    ChunkEnd(Extensions),
    /// The lines after the last chunk, of which so many bytes were read.
    Trailer(usize),
}

/// What bytes of a connection are in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Bytes of the body. Those before their range are not part of it.
    Data(Range<usize>),
    /// The end of the body, before which are so many bytes that are not part of it.
    End(usize),
    /// Nothing but so many bytes that are not part of it: more have to come.
    More(usize),
}

/// Why bytes are no body. Nothing that follows them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A chunk does not begin with its size, or does not end after so many bytes.
    #[error("a chunk that cannot be read")]
    Chunk,
    /// What follows the last chunk is no field line, or too much.
    #[error("a trailer that cannot be read")]
    Trailer,
}

impl BodyDecoder {
    /// For a body of this length. `None`: there is none.
    pub(super) fn new(length: BodyLength) -> Option<BodyDecoder> {
        let at = match length {
            BodyLength::None => return None,
            BodyLength::Known(length) => At::Body(length),
            BodyLength::Chunked => At::ChunkLine(Extensions::default()),
        };
        Some(BodyDecoder { at })
    }

    /// How many bytes are left, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self.at {
            At::Body(left) => Some(left),
            _ => None,
        }
    }

    /// Decodes the next bytes of the connection, up to and with the next bytes of the body.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, BodyError> {
        let mut read = 0;
        loop {
            let rest = &bytes[read..];
            match &mut self.at {
                At::Body(0) => return Ok(Decoded::End(read)),
                At::Body(left) | At::Chunk(left, _) => {
                    if rest.is_empty() {
                        return Ok(Decoded::More(read));
                    }
                    let length = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= length as u64;
                    if let At::Chunk(0, extensions) = self.at {
                        self.at = At::ChunkEnd(extensions);
                    }
                    return Ok(Decoded::Data(read..read + length));
                }
                At::ChunkEnd(extensions) => match rest {
                    [b'\r', b'\n', ..] => {
                        read += 2;
                        self.at = At::ChunkLine(*extensions);
                    }
                    [b'\r'] | [] => return Ok(Decoded::More(read)),
                    _ => return Err(BodyError::Chunk),
                },
                At::ChunkLine(extensions) => {
                    let Some(line) = line(rest, chunks::LINE_BYTES).ok_or(BodyError::Chunk)? else {
                        return Ok(Decoded::More(read));
                    };
                    read += line.len() + 2;
                    let size = chunks::size(line, extensions).ok_or(BodyError::Chunk)?;
                    self.at = match size {
                        0 => At::Trailer(0),
                        size => At::Chunk(size, *extensions),
                    };
                }
                At::Trailer(length) => {
                    let limit = TRAILER_BYTES - *length;
                    let Some(line) = line(rest, limit).ok_or(BodyError::Trailer)? else {
                        return Ok(Decoded::More(read));
                    };
                    read += line.len() + 2;
                    *length += line.len() + 2;
                    if line.is_empty() {
                        self.at = At::Body(0);
                    } else if !is_field(line) || *length > TRAILER_BYTES {
                        return Err(BodyError::Trailer);
                    }
                }
            }
        }
    }
}

/// The line that `bytes` begin with, without its line break. `Some(None)`: it is not complete. `None`: it is longer than
/// the limit, or does not end with CR and LF.
#[expect(clippy::option_option, reason = "each level has a meaning of its own")]
fn line(bytes: &[u8], limit: usize) -> Option<Option<&[u8]>> {
    let within = bytes.get(..limit + 2).unwrap_or(bytes);
    match memchr::memchr2(b'\r', b'\n', within) {
        Some(at) => match within[at..] {
            [b'\r', b'\n', ..] => Some(Some(&within[..at])),
            [b'\r'] if within.len() < limit + 2 => Some(None),
            _ => None,
        },
        None if within.len() < limit + 2 => Some(None),
        None => None,
    }
}

/// Whether a line is a field line (RFC 9112 section 5).
fn is_field(line: &[u8]) -> bool {
    let name = token(line);
    name > 0 && line.get(name) == Some(&b':') && value(&line[name + 1..]) == line.len() - name - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A body, and what follows it.
    type Split = (Vec<u8>, Vec<u8>);

    /// The body in `bytes`, which arrive in pieces, and what follows it. `None`: it is not complete.
    fn decoded(length: BodyLength, bytes: &[u8], piece: usize) -> Result<Option<Split>, BodyError> {
        let mut decoder = BodyDecoder::new(length).expect("a body");
        let (mut body, mut waiting) = (Vec::new(), Vec::new());
        let mut pieces = bytes.chunks(piece);
        loop {
            let read = match decoder.decode(&waiting)? {
                Decoded::Data(data) => {
                    assert!(!data.is_empty());
                    body.extend_from_slice(&waiting[data.clone()]);
                    data.end
                }
                Decoded::End(read) => {
                    waiting.drain(..read);
                    waiting.extend(pieces.flatten());
                    return Ok(Some((body, waiting)));
                }
                Decoded::More(read) => {
                    let Some(piece) = pieces.next() else { return Ok(None) };
                    waiting.extend_from_slice(piece);
                    read
                }
            };
            waiting.drain(..read);
        }
    }

    #[test]
    fn a_length_counts_bytes() {
        for piece in 1..9 {
            let body = decoded(BodyLength::Known(5), b"hello\r\nGET", piece);
            assert_eq!(body, Ok(Some((b"hello".to_vec(), b"\r\nGET".to_vec()))));
        }
        assert_eq!(decoded(BodyLength::Known(5), b"hell", 9), Ok(None));
        assert!(BodyDecoder::new(BodyLength::None).is_none());
    }

    #[test]
    fn chunks_with_extensions_and_trailers() {
        let bytes = b"5\r\nhello\r\n1C;a=b ; c=\"d\"\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n....1\r\n1 \r\n!\r\n\
            0;last\r\nX-Trailer: 1\r\nExpires:\r\n\r\nGET";
        for piece in 1..bytes.len() {
            let body = b"hello0\r\n\r\nGET / HTTP/1.1\r\n\r\n....1!".to_vec();
            assert_eq!(
                decoded(BodyLength::Chunked, bytes, piece),
                Ok(Some((body, b"GET".to_vec()))),
                "{piece}"
            );
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error_however_it_arrives() {
        let zeros = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(100_000));
        let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
        let endless = format!("0\r\n{}\r\n", "X-A: 12345678\r\n".repeat(2000));
        for bytes in [
            "x\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\n0\n\n",
            "5\rhello\r0\r\r",
            "5\r\nhelloworld\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\rx",
            "fffffffffffffffff\r\n",
            "ffffffffffffffff\r\n",
            "\r\n0\r\n\r\n",
            "5;\r\nhello\r\n0\r\n\r\n",
            "0;=\r\n\r\n",
            "0\r\nno trailer\r\n\r\n",
            "0\r\n X: 1\r\n\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\nX: \0\r\n\r\n",
            "0\r\n\n",
            &zeros,
            &long,
            &endless,
        ] {
            for piece in [1, 2, 3, 7, 64, 4096, usize::MAX] {
                let what = &bytes[..bytes.len().min(30)];
                assert!(decoded(BodyLength::Chunked, bytes.as_bytes(), piece).is_err(), "{what:?} {piece}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_mean_the_same(
            bytes in "([0-9a-f]{1,2}\r\n|[a-z]{0,9}|\r\n|0\r\n|\n|;a=b\r\n|X: 1\r\n|1\r\na\r\n){0,20}",
            piece in 1..20_usize,
        ) {
            let whole = decoded(BodyLength::Chunked, bytes.as_bytes(), usize::MAX);
            prop_assert_eq!(decoded(BodyLength::Chunked, bytes.as_bytes(), piece), whole);
        }

        #[test]
        fn chunks_hold_their_bytes(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            piece in 1..400_usize,
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\nrest");
            let body = decoded(BodyLength::Chunked, &bytes, piece);
            prop_assert_eq!(body, Ok(Some((chunks.concat(), b"rest".to_vec()))));
        }
    }
}
