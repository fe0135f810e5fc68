//! The bytes of an answer (RFC 9112 sections 4, 6 and 7), appended to what the connection sends.

use super::bytes::decimal;
use super::head::Version;

/// Status and length of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead<'a> {
    /// The status code, of three digits.
    pub status: u16,
    /// The reason phrase, which may be empty.
    pub reason: &'a [u8],
    /// How many bytes the body has. `None`: that is not known before its end.
    pub length: Option<u64>,
}

/// What the request decides about its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) version: Version,
    /// The method is HEAD: the answer has the head of one with a body, and no body.
    pub(super) is_head: bool,
    /// The connection ends with the answer.
    pub(super) is_last: bool,
}

/// How the rest of a body is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyEncoder {
    /// It is not sent: the answer has none.
    Omitted,
    /// So many bytes are left.
    Length(u64),
    Chunked,
    /// Its end is that of the connection.
    UntilClose,
}

/// How to send a part of a body. What comes before it is appended already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its first bytes, so many, are sent; the others are not part of the body.
    pub length: usize,
    /// What follows it.
    pub end: &'static [u8],
}

/// A body ended before it had as many bytes as its head says. The connection must be cut, so that its client notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body ended {0} bytes before its length")]
pub struct ShortBody(pub u64);

/// Appends a head. The result is how to send the body, and whether the connection ends with it. Fields of `fields` that
/// would contradict the connection are left out: another length than that of the body, and transfer codings. Names are
/// in lower case.
pub(super) fn encode<'a>(
    out: &mut Vec<u8>,
    answer: AnswerHead<'_>,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    date: &[u8; 29],
    Terms { version, is_head, mut is_last }: Terms,
) -> (BodyEncoder, bool) {
    let AnswerHead { status, reason, length } = answer;
    let says_close = is_last && version == Version::Http11;
    let may_have_body = !matches!(status, 100..=199 | 204 | 304);
    let (mut has_date, mut written_length, mut is_persistent) = (false, None, false);
    status_line(out, version, status, reason);
    for (name, value) in fields {
        match name {
            b"content-length" => {
                let own = decimal(value);
                // The head of an answer to HEAD, or with 304, has the length of the body that it stands for.
                let is_right = is_head || !may_have_body || length.is_none() || own == length;
                if written_length.is_some() || own.is_none() || !is_right {
                    continue;
                }
                written_length = own;
            }
            b"transfer-encoding" => continue,
            b"connection" => {
                if says_close {
                    continue;
                }
                for option in value.split(|it| *it == b',').map(<[u8]>::trim_ascii) {
                    is_last |= option.eq_ignore_ascii_case(b"close");
                    is_persistent |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            b"date" => has_date = true,
            _ => {}
        }
        line(out, name, value);
    }
    if says_close {
        out.extend_from_slice(b"connection: close\r\n");
    }
    let encoder = match (written_length, length) {
        _ if is_head || !may_have_body => {
            if let (None, Some(length @ 1..)) = (written_length, length)
                && may_have_body
            {
                length_line(out, length);
            }
            BodyEncoder::Omitted
        }
        (Some(length), _) => BodyEncoder::Length(length),
        (None, Some(length)) => {
            length_line(out, length);
            BodyEncoder::Length(length)
        }
        (None, None) if version == Version::Http10 => {
            is_last = true;
            BodyEncoder::UntilClose
        }
        (None, None) => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            BodyEncoder::Chunked
        }
    };
    if version == Version::Http10 && !is_last && !is_persistent {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    if has_date {
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n\r\n");
    }
    (encoder, is_last)
}

fn status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    if (version, status, reason) == (Version::Http11, 200, b"OK") {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(match version {
        Version::Http10 => b"HTTP/1.0 ",
        Version::Http11 => b"HTTP/1.1 ",
    });
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn length_line(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    number(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal digits.
fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

impl BodyEncoder {
    /// Appends what comes before a part of so many bytes.
    pub(super) fn part(&mut self, length: usize, out: &mut Vec<u8>) -> Part {
        match self {
            BodyEncoder::Omitted => Part { length: 0, end: b"" },
            BodyEncoder::Length(left) => {
                let length = usize::try_from(*left).map_or(length, |left| left.min(length));
                *left -= length as u64;
                Part { length, end: b"" }
            }
            // An empty chunk would be the last one.
            BodyEncoder::Chunked if length == 0 => Part { length: 0, end: b"" },
            BodyEncoder::Chunked => {
                chunk_line(out, length);
                Part { length, end: b"\r\n" }
            }
            BodyEncoder::UntilClose => Part { length, end: b"" },
        }
    }

    /// Whether nothing of a body would be sent any more.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, BodyEncoder::Omitted | BodyEncoder::Length(0))
    }

    /// Appends the end of the body.
    pub(super) fn end(&self, out: &mut Vec<u8>) -> Result<(), ShortBody> {
        match self {
            BodyEncoder::Length(left @ 1..) => Err(ShortBody(*left)),
            BodyEncoder::Chunked => {
                out.extend_from_slice(b"0\r\n\r\n");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn chunk_line(out: &mut Vec<u8>, length: usize) {
    let digits = (usize::BITS - length.leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[length >> (4 * place) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    fn terms(version: Version) -> Terms {
        Terms { version, is_head: false, is_last: false }
    }

    #[track_caller]
    fn encodes(
        (status, reason, length): (u16, &str, Option<u64>),
        fields: &[(&str, &str)],
        terms: Terms,
        head: &str,
        (encoder, is_last): (BodyEncoder, bool),
    ) {
        let mut out = b"before".to_vec();
        let answer = AnswerHead { status, reason: reason.as_bytes(), length };
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let encoded = super::encode(&mut out, answer, fields, DATE, terms);
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, format!("before{head}"));
        assert_eq!(encoded, (encoder, is_last));
    }

    #[test]
    fn a_head_has_the_length_of_its_body_and_a_date() {
        encodes(
            (200, "OK", Some(12)),
            &[("content-type", "text/plain")],
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\
             date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
            (BodyEncoder::Length(12), false),
        );
        encodes(
            (404, "", Some(0)),
            &[("date", "then")],
            terms(Version::Http11),
            "HTTP/1.1 404 \r\ndate: then\r\ncontent-length: 0\r\n\r\n",
            (BodyEncoder::Length(0), false),
        );
    }

    /// RFC 9112 section 6.1 and 6.3: chunks where the length is not known; until the end for HTTP/1.0.
    #[test]
    fn a_body_of_unknown_length() {
        let fields = [("date", "then")];
        encodes(
            (200, "OK", None),
            &fields,
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ndate: then\r\ntransfer-encoding: chunked\r\n\r\n",
            (BodyEncoder::Chunked, false),
        );
        encodes(
            (200, "OK", None),
            &fields,
            terms(Version::Http10),
            "HTTP/1.0 200 OK\r\ndate: then\r\n\r\n",
            (BodyEncoder::UntilClose, true),
        );
        encodes(
            (200, "OK", None),
            &[("date", "then"), ("content-length", "7")],
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ndate: then\r\ncontent-length: 7\r\n\r\n",
            (BodyEncoder::Length(7), false),
        );
    }

    /// RFC 9112 section 6.3 and RFC 9110 section 8.6.
    #[test]
    fn answers_without_a_body() {
        let head = Terms { is_head: true, ..terms(Version::Http11) };
        let date = ("date", "then");
        encodes(
            (200, "OK", Some(5)),
            &[date],
            head,
            "HTTP/1.1 200 OK\r\ndate: then\r\ncontent-length: 5\r\n\r\n",
            (BodyEncoder::Omitted, false),
        );
        for length in [Some(0), None] {
            encodes(
                (200, "OK", length),
                &[date, ("content-length", "9")],
                head,
                "HTTP/1.1 200 OK\r\ndate: then\r\ncontent-length: 9\r\n\r\n",
                (BodyEncoder::Omitted, false),
            );
        }
        for (status, length) in [(204, Some(0)), (304, Some(7)), (304, None), (101, None)] {
            encodes(
                (status, "x", length),
                &[date],
                terms(Version::Http11),
                &format!("HTTP/1.1 {status} x\r\ndate: then\r\n\r\n"),
                (BodyEncoder::Omitted, false),
            );
        }
    }

    /// A handler cannot make two answers of one.
    #[test]
    fn fields_that_contradict_the_connection_are_left_out() {
        encodes(
            (200, "OK", Some(5)),
            &[
                ("content-length", "7"),
                ("transfer-encoding", "chunked"),
                ("content-length", "5"),
                ("date", "x"),
            ],
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ndate: x\r\n\r\n",
            (BodyEncoder::Length(5), false),
        );
        encodes(
            (200, "OK", None),
            &[("content-length", "seven"), ("date", "x")],
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ndate: x\r\ntransfer-encoding: chunked\r\n\r\n",
            (BodyEncoder::Chunked, false),
        );
    }

    /// RFC 9112 section 9.3.
    #[test]
    fn connection_options() {
        let date = ("date", "x");
        encodes(
            (200, "OK", Some(0)),
            &[date, ("connection", "Close")],
            terms(Version::Http11),
            "HTTP/1.1 200 OK\r\ndate: x\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n",
            (BodyEncoder::Length(0), true),
        );
        encodes(
            (200, "OK", Some(0)),
            &[("connection", "keep-alive"), date],
            Terms { is_last: true, ..terms(Version::Http11) },
            "HTTP/1.1 200 OK\r\ndate: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            (BodyEncoder::Length(0), true),
        );
        encodes(
            (200, "OK", Some(0)),
            &[date],
            terms(Version::Http10),
            "HTTP/1.0 200 OK\r\ndate: x\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n",
            (BodyEncoder::Length(0), false),
        );
    }

    #[test]
    fn parts_of_a_body() {
        let mut out = Vec::new();
        let mut chunked = BodyEncoder::Chunked;
        for (length, line) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_536, "10000\r\n")] {
            out.clear();
            assert_eq!(chunked.part(length, &mut out), Part { length, end: b"\r\n" });
            assert_eq!(String::from_utf8_lossy(&out), line);
        }
        out.clear();
        assert_eq!(chunked.part(0, &mut out), Part { length: 0, end: b"" });
        assert_eq!((chunked.end(&mut out), out.as_slice()), (Ok(()), &b"0\r\n\r\n"[..]));

        let mut counted = BodyEncoder::Length(5);
        assert_eq!(counted.part(3, &mut out).length, 3);
        assert_eq!(counted.end(&mut out), Err(ShortBody(2)));
        assert!(!counted.is_complete());
        assert_eq!(counted.part(3, &mut out).length, 2);
        assert!(counted.is_complete());
        assert_eq!(counted.end(&mut out), Ok(()));
    }
}
