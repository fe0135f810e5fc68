//! The server's end of a connection (RFC 9112 section 9): which bytes are a request, a body or the next request, and what
//! may be sent.

use std::ops::Range;

use super::body::{BodyDecoder, BodyError, Decoded};
use super::head::{BodyLength, Flaw, Head, HeadError, HeadLimits, Version};
use super::response::{self, AnswerHead, BodyEncoder, Part, ShortBody, Terms};

/// A connection. Requests are answered one after the other: the head of the next one is not parsed before the answer to
/// the one before it is complete.
///
/// Its owner holds the bytes that were received and not read yet, and passes them to [`receive`](Connection::receive).
#[derive(Debug)]
pub struct Connection {
    limits: HeadLimits,
    reading: Reading,
    writing: Writing,
    /// No request follows the current one, and its client knows or will notice.
    is_last: bool,
    /// No request is begun any more.
    is_retired: bool,
    version: Version,
    is_head: bool,
    /// The client waits for a sign before it sends the body (RFC 9110 section 10.1.1).
    expects_continue: bool,
}

#[derive(Debug)]
enum Reading {
    /// A head; so many of its bytes cannot be one without more.
    Head {
        examined: usize,
    },
    Body(BodyDecoder),
    /// The current request is complete.
    Complete,
    /// Nothing that is received is a request any more.
    Closed,
}

#[derive(Debug)]
enum Writing {
    /// There is no request.
    Idle,
    /// The current request has no answer.
    Due,
    Body(BodyEncoder),
}

/// What the first of the bytes that were received are.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing, so far: see [`Connection::receive`].
    Nothing,
    /// The head of a request, in this range, and why it must not be served, if it must not. Its spans are parts of the
    /// range.
    Request(Range<usize>, Option<Flaw>),
    /// Bytes of the body.
    Data(Range<usize>),
    /// The end of the body.
    End,
    /// No head. It is due an answer, and the connection ends with that.
    NoHead(HeadError),
    /// The rest of a body that cannot be read. The connection ends with the answer to its request.
    NoBody(BodyError),
}

/// What answers `Expect: 100-continue`.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Connection {
    /// A connection of which nothing was received.
    pub fn new(limits: HeadLimits) -> Connection {
        Connection {
            limits,
            reading: Reading::Head { examined: 0 },
            writing: Writing::Idle,
            is_last: false,
            is_retired: false,
            version: Version::Http11,
            is_head: false,
            expects_continue: false,
        }
    }

    /// Reads the next event from the bytes that were received and not read before. Returns it, and how many bytes are
    /// read with it. A head is parsed into `head`.
    ///
    /// With [`Received::Nothing`] more bytes have to come, or, if [none are expected](Connection::expects_bytes), the
    /// answer has to be sent first.
    pub fn receive(&mut self, bytes: &[u8], head: &mut Head) -> (Received, usize) {
        match &mut self.reading {
            Reading::Head { .. } => self.receive_head(bytes, head),
            Reading::Body(decoder) => {
                let (received, read) = match decoder.decode(bytes) {
                    Ok(Decoded::Data(data)) => {
                        let end = data.end;
                        (Received::Data(data), end)
                    }
                    Ok(Decoded::More(read)) => (Received::Nothing, read),
                    Ok(Decoded::End(read)) => (Received::End, read),
                    Err(error) => (Received::NoBody(error), 0),
                };
                self.expects_continue &= read == 0;
                match received {
                    Received::End => {
                        self.reading = Reading::Complete;
                        self.settle();
                    }
                    Received::NoBody(_) => self.abandon_body(),
                    _ => {}
                }
                (received, read)
            }
            Reading::Complete | Reading::Closed => (Received::Nothing, 0),
        }
    }

    fn receive_head(&mut self, bytes: &[u8], head: &mut Head) -> (Received, usize) {
        // Empty lines before a request are ignored (RFC 9112 section 2.2).
        let mut start = 0;
        while bytes[start..].starts_with(b"\r\n") {
            start += 2;
        }
        if start > 0 {
            self.reading = Reading::Head { examined: 0 };
        }
        let Reading::Head { examined } = &mut self.reading else { return (Received::Nothing, 0) };
        let rest = &bytes[start..];
        if rest.is_empty() || rest == b"\r" {
            return (Received::Nothing, start);
        }
        // A head without a further line is as incomplete as it was, so that one in small pieces is not parsed with each.
        let is_same = rest.len() < self.limits.bytes
            && *examined > 0
            && memchr::memchr(b'\n', &rest[(*examined).min(rest.len())..]).is_none();
        if is_same {
            *examined = rest.len();
            return (Received::Nothing, start);
        }
        let parsed = match rest {
            // An empty line that ends in LF alone, or in CR alone.
            [b'\n', ..] => Err(HeadError::LineBreak),
            _ => head.parse(rest, &self.limits),
        };
        match parsed {
            Ok(None) => {
                *examined = rest.len();
                (Received::Nothing, start)
            }
            Ok(Some(length)) => {
                let flaw = head.flaw();
                self.begin(head, rest, flaw);
                (Received::Request(start..start + length, flaw), start + length)
            }
            Err(error) => {
                (self.reading, self.writing) = (Reading::Closed, Writing::Due);
                (self.version, self.is_head, self.is_last) = (Version::Http11, false, true);
                (Received::NoHead(error), 0)
            }
        }
    }

    /// A head is complete.
    fn begin(&mut self, head: &Head, bytes: &[u8], flaw: Option<Flaw>) {
        self.writing = Writing::Due;
        // What may be misread is answered with what every client understands as the end.
        self.version = if flaw.is_some() { Version::Http11 } else { head.version };
        self.is_head = head.method.of(bytes) == b"HEAD";
        let is_old = head.version == Version::Http10;
        self.is_last |= head.closes || (is_old && !head.keeps_alive) || flaw.is_some();
        self.expects_continue = head.expects_continue && !is_old;
        self.reading = match BodyDecoder::new(head.body) {
            _ if flaw.is_some() => Reading::Closed,
            None => Reading::Complete,
            Some(decoder) => Reading::Body(decoder),
        };
    }

    /// Whether bytes would be read: those of a head or of a body.
    pub fn expects_bytes(&self) -> bool {
        matches!(self.reading, Reading::Head { .. } | Reading::Body(_))
    }

    /// Whether the current request has a body of which the end was not received.
    pub fn has_body(&self) -> bool {
        matches!(self.reading, Reading::Body(_))
    }

    /// How many bytes of the body have not been received, if that is known.
    pub fn body_left(&self) -> BodyLength {
        match &self.reading {
            Reading::Body(decoder) => decoder.left().map_or(BodyLength::Chunked, BodyLength::Known),
            _ => BodyLength::None,
        }
    }

    /// Whether there is no request.
    pub fn is_idle(&self) -> bool {
        matches!((&self.reading, &self.writing), (Reading::Head { .. }, Writing::Idle))
    }

    /// Whether there will be no further request, and the last one is answered.
    pub fn is_closed(&self) -> bool {
        matches!((&self.reading, &self.writing), (Reading::Closed, Writing::Idle))
    }

    /// Whether the current request has an answer, of which the body is not complete.
    pub fn is_answering(&self) -> bool {
        matches!(self.writing, Writing::Body(_))
    }

    /// The body is to be received: appends the sign that the client waits for, if it waits.
    pub fn want_body(&mut self, out: &mut Vec<u8>) {
        let is_due = self.has_body() && matches!(self.writing, Writing::Due);
        if std::mem::take(&mut self.expects_continue) && is_due {
            out.extend_from_slice(CONTINUE);
        }
    }

    /// The rest of the body will not be received. The connection ends with the answer to its request.
    pub fn abandon_body(&mut self) {
        self.is_last = true;
        self.reading = Reading::Closed;
    }

    /// No request is begun any more. If the head of the current one's answer is not sent, it says so.
    pub fn retire(&mut self) {
        self.is_retired = true;
        self.settle();
    }

    /// Whether another connection state can continue here: this one has retired between two requests, and its client
    /// expects to be answered further.
    pub fn is_reusable(&self) -> bool {
        self.is_closed() && self.is_retired && !self.is_last
    }

    /// Appends the head of the answer to the current request. Names of `fields` are in lower case.
    pub fn respond<'a>(
        &mut self,
        answer: AnswerHead<'_>,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        date: &[u8; 29],
        out: &mut Vec<u8>,
    ) {
        debug_assert!(matches!(self.writing, Writing::Due), "a request has one answer: {:?}", self.writing);
        let terms =
            Terms { version: self.version, is_head: self.is_head, is_last: self.is_last || self.is_retired };
        let (encoder, is_last) = response::encode(out, answer, fields, date, terms);
        self.is_last = is_last;
        self.writing = Writing::Body(encoder);
    }

    /// Whether more of the answer's body would be sent.
    pub fn wants_parts(&self) -> bool {
        matches!(&self.writing, Writing::Body(encoder) if !encoder.is_complete())
    }

    /// Appends what comes before a part of the answer's body.
    pub fn part(&mut self, length: usize, out: &mut Vec<u8>) -> Part {
        match &mut self.writing {
            Writing::Body(encoder) => encoder.part(length, out),
            _ => Part { length: 0, end: b"" },
        }
    }

    /// Appends the end of the answer.
    ///
    /// # Errors
    ///
    /// [`ShortBody`] if the body has fewer bytes than the answer's `Content-Length`, with the number of missing bytes.
    /// The caller has to cut the connection.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), ShortBody> {
        if let Writing::Body(encoder) = std::mem::replace(&mut self.writing, Writing::Idle) {
            encoder.end(out)?;
        }
        self.settle();
        Ok(())
    }

    /// Begins with the next request where the current one is complete and answered.
    fn settle(&mut self) {
        match (&self.reading, &self.writing) {
            (Reading::Complete | Reading::Head { .. }, Writing::Idle) if self.is_last || self.is_retired => {
                self.reading = Reading::Closed;
            }
            (Reading::Complete, Writing::Idle) => self.reading = Reading::Head { examined: 0 },
            _ => {}
        }
    }
}
