//! The head of a request (RFC 9112 sections 2, 3 and 5): one walk over its bytes finds where its parts are and what they
//! mean for the connection.

use super::bytes::{decimal, target, token, trimmed, value};
use super::field::{Field, Known, Span};
use super::target::is_host;

/// What a head may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes in all, less than 4 GiB.
    pub bytes: usize,
    /// Bytes of the target.
    pub target: usize,
    /// Field lines.
    pub fields: usize,
}

/// The version of a request. Others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// Why bytes are no head. Nothing that follows them can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The first line is not `METHOD TARGET HTTP/1.x`.
    #[error("A request begins with a method, a target and HTTP/1.1, with one space between each.")]
    RequestLine,
    /// Another version than 1.0 and 1.1.
    #[error("Versions 1.0 and 1.1 of HTTP are spoken here.")]
    Version,
    /// A line that is not `NAME: VALUE`, or continues the one before it.
    #[error(
        "A header is a line NAME: VALUE, without white space before the colon and without control characters."
    )]
    Field,
    /// A line ends with LF without CR, which some parsers accept and some do not.
    #[error("Lines of a head end with CR and LF.")]
    LineBreak,
    /// More bytes than [`HeadLimits::bytes`].
    #[error("The request's head is too large.")]
    TooLarge,
    /// More lines than [`HeadLimits::fields`].
    #[error("The request has too many headers.")]
    TooManyFields,
    /// More bytes than [`HeadLimits::target`].
    #[error("The request's address is too long.")]
    TargetTooLong,
}

impl HeadError {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            HeadError::TooLarge | HeadError::TooManyFields => 431,
            HeadError::TargetTooLong => 414,
            _ => 400,
        }
    }
}

/// Why a request whose head could be read must not be served. Its connection ends with the answer, since another server
/// may see its end elsewhere, or another host in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Two lengths, or one that is not a number.
    #[error("The request's head can be read in two ways.")]
    Ambiguous,
    /// The target has a fragment.
    #[error("A request's target has no fragment: nothing of an address from `#` on is sent.")]
    Fragment,
    /// `chunked` more than once.
    #[error("A body is chunked once.")]
    ChunkedTwice,
    /// The last transfer coding is not `chunked` (RFC 9112 section 6.3).
    #[error("A body whose last transfer coding is not `chunked` has no end.")]
    Endless,
    /// Another transfer coding before `chunked`.
    #[error("The only transfer coding that is understood is `chunked`.")]
    Coding,
    /// No host, several, or one that is invalid.
    #[error("A request names its host once, as HOST or HOST:PORT.")]
    Host,
    /// Several origins.
    #[error("A request has one Origin.")]
    Origin,
}

/// How long the body of a request is (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyLength {
    /// There is no body.
    #[default]
    None,
    /// So many bytes, at least one.
    Known(u64),
    /// Chunks, the last of which is empty.
    Chunked,
}

/// A request's head: where its parts are, and what they mean for the connection. It can be used for one head after
/// another, so that parsing allocates nothing.
#[derive(Debug, Default)]
pub struct Head {
    /// The method.
    pub method: Span,
    /// The target, as it was sent.
    pub target: Span,
    /// The version.
    pub version: Version,
    /// The field lines.
    pub fields: Vec<Field>,
    /// The length of the body. Undefined if there is a [flaw](Head::flaw).
    pub body: BodyLength,
    /// `Connection: close`.
    pub closes: bool,
    /// `Connection: keep-alive`.
    pub keeps_alive: bool,
    /// `Expect: 100-continue`.
    pub expects_continue: bool,
    facts: Facts,
    /// The host of a head before, which is valid. Most requests have the same.
    valid_host: Vec<u8>,
}

/// A host of so many bytes is remembered.
const REMEMBERED: usize = 64;

/// What the lines so far say about flaws.
#[derive(Debug, Default)]
struct Facts {
    has_fragment: bool,
    length: Option<u64>,
    lengths: usize,
    has_bad_length: bool,
    codings: Codings,
    hosts: usize,
    has_bad_host: bool,
    origins: usize,
}

/// The transfer codings so far.
#[derive(Debug, Default, PartialEq, Eq)]
enum Codings {
    #[default]
    None,
    Chunked,
    ChunkedTwice,
    /// The last one is not `chunked`.
    Endless,
    /// The last one is `chunked`, and one before it is not.
    Unknown,
}

impl Head {
    /// Parses the head that `bytes` begin with. Returns its length, or `None` if it is not complete. Spans are parts of
    /// `bytes`.
    ///
    /// # Errors
    ///
    /// No request can be read from the connection after an error. [`HeadError::status`] is the status of the answer.
    ///
    /// - [`HeadError::RequestLine`], [`HeadError::Version`]: the first line is not a method, a target and
    ///   `HTTP/1.0` or `HTTP/1.1`.
    /// - [`HeadError::Field`]: a line is not `NAME: VALUE`.
    /// - [`HeadError::LineBreak`]: a line ends with LF without CR.
    /// - [`HeadError::TooLarge`]: the head has no end within [`HeadLimits::bytes`] bytes.
    /// - [`HeadError::TargetTooLong`]: the target has more bytes than [`HeadLimits::target`].
    /// - [`HeadError::TooManyFields`]: there are more field lines than [`HeadLimits::fields`].
    pub fn parse(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let within = bytes.get(..limits.bytes).unwrap_or(bytes);
        let parsed = self.walk(within, limits)?;
        if parsed.is_none() && within.len() == limits.bytes {
            return Err(HeadError::TooLarge);
        }
        Ok(parsed)
    }

    /// Why the request must not be served, if it must not.
    pub fn flaw(&self) -> Option<Flaw> {
        let Facts { has_fragment, lengths, has_bad_length, codings, hosts, has_bad_host, origins, .. } =
            &self.facts;
        let is_coded = *codings != Codings::None;
        let (is_old, has_length) = (self.version == Version::Http10, *lengths > 0);
        if *has_bad_length || *lengths > 1 || (is_coded && (has_length || is_old)) {
            return Some(Flaw::Ambiguous);
        }
        if *has_fragment {
            return Some(Flaw::Fragment);
        }
        match codings {
            Codings::None | Codings::Chunked => {}
            Codings::ChunkedTwice => return Some(Flaw::ChunkedTwice),
            Codings::Endless => return Some(Flaw::Endless),
            Codings::Unknown => return Some(Flaw::Coding),
        }
        if *has_bad_host || !(*hosts == 1 || (*hosts == 0 && is_old)) {
            return Some(Flaw::Host);
        }
        (*origins > 1).then_some(Flaw::Origin)
    }

    fn walk(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        self.fields.clear();
        let (fields, valid_host) = (std::mem::take(&mut self.fields), std::mem::take(&mut self.valid_host));
        *self = Head { fields, valid_host, ..Head::default() };
        let Some(mut at) = self.request_line(bytes, limits)? else { return Ok(None) };
        loop {
            match bytes[at..] {
                [b'\r', b'\n', ..] => break,
                [b'\r'] | [] => return Ok(None),
                [b'\n', ..] => return Err(HeadError::LineBreak),
                _ => {}
            }
            if self.fields.len() == limits.fields {
                return Err(HeadError::TooManyFields);
            }
            let Some(next) = self.field(bytes, at)? else { return Ok(None) };
            at = next;
        }
        self.body = match (&self.facts.codings, self.facts.length) {
            (Codings::None, None | Some(0)) => BodyLength::None,
            (Codings::None, Some(length)) => BodyLength::Known(length),
            _ => BodyLength::Chunked,
        };
        Ok(Some(at + 2))
    }

    /// Parses the first line. Returns where the next one begins.
    fn request_line(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let method_end = token(bytes);
        match bytes.get(method_end) {
            Some(b' ') if method_end > 0 => {}
            Some(_) => return Err(HeadError::RequestLine),
            None => return Ok(None),
        }
        let start = method_end + 1;
        let end = start + target(&bytes[start..]);
        if end - start > limits.target {
            return Err(HeadError::TargetTooLong);
        }
        match bytes.get(end) {
            Some(b' ') if end > start => {}
            Some(b'\n') => return Err(HeadError::LineBreak),
            Some(_) => return Err(HeadError::RequestLine),
            None => return Ok(None),
        }
        self.method = Span::new(0, method_end);
        self.target = Span::new(start, end);
        self.facts.has_fragment = memchr::memchr(b'#', &bytes[start..end]).is_some();
        let Some(version) = self.version_of(&bytes[end + 1..])? else { return Ok(None) };
        self.version = version;
        Ok(Some(end + 1 + "HTTP/1.1\r\n".len()))
    }

    /// The version at the end of the first line.
    fn version_of(&self, rest: &[u8]) -> Result<Option<Version>, HeadError> {
        const NAME: &[u8] = b"HTTP/1.";
        let length = rest.len().min(NAME.len());
        if rest[..length] != NAME[..length] {
            let is_other = rest.starts_with(b"HTTP/") && rest.get(5).is_some_and(u8::is_ascii_digit);
            return Err(if is_other { HeadError::Version } else { HeadError::RequestLine });
        }
        let Some(after) = rest.get(NAME.len()..) else { return Ok(None) };
        let version = match after.first() {
            Some(b'1') => Version::Http11,
            Some(b'0') => Version::Http10,
            Some(it) if it.is_ascii_digit() => return Err(HeadError::Version),
            Some(_) => return Err(HeadError::RequestLine),
            None => return Ok(None),
        };
        match after[1..] {
            [b'\r', b'\n', ..] => Ok(Some(version)),
            [b'\r'] | [] => Ok(None),
            [b'\n', ..] => Err(HeadError::LineBreak),
            _ => Err(HeadError::RequestLine),
        }
    }

    /// Parses the field line at `at`. Returns where the next one begins.
    fn field(&mut self, bytes: &[u8], at: usize) -> Result<Option<usize>, HeadError> {
        let name_end = at + token(&bytes[at..]);
        match bytes.get(name_end) {
            Some(b':') if name_end > at => {}
            Some(b'\n') => return Err(HeadError::LineBreak),
            Some(_) => return Err(HeadError::Field),
            None => return Ok(None),
        }
        let start = name_end + 1;
        let end = start + value(&bytes[start..]);
        match bytes[end..] {
            [b'\r', b'\n', ..] => {}
            [b'\r'] | [] => return Ok(None),
            [b'\n', ..] => return Err(HeadError::LineBreak),
            _ => return Err(HeadError::Field),
        }
        let (value_start, value_end) = trimmed(bytes, start, end);
        let known = Known::of(&bytes[at..name_end]);
        if let Some(known) = known {
            self.consider(known, &bytes[value_start..value_end]);
        }
        self.fields.push(Field {
            name: Span::new(at, name_end),
            value: Span::new(value_start, value_end),
            known,
        });
        Ok(Some(end + 2))
    }

    fn is_host(&mut self, value: &[u8]) -> bool {
        let is_remembered = !value.is_empty() && value == self.valid_host;
        if !is_remembered {
            if !is_host(value) {
                return false;
            }
            if value.len() <= REMEMBERED {
                self.valid_host.clear();
                self.valid_host.extend_from_slice(value);
            }
        }
        true
    }

    /// What a field means for the connection.
    fn consider(&mut self, known: Known, value: &[u8]) {
        match known {
            Known::Host => {
                self.facts.hosts += 1;
                self.facts.has_bad_host |= !self.is_host(value);
            }
            Known::ContentLength => {
                self.facts.lengths += 1;
                self.facts.length = decimal(value);
                self.facts.has_bad_length |= self.facts.length.is_none();
            }
            Known::TransferEncoding => {
                for coding in elements(value) {
                    self.facts.codings.push(coding);
                }
            }
            Known::Connection => {
                for option in elements(value) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            Known::Expect => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            Known::Origin => self.facts.origins += 1,
            _ => {}
        }
    }
}

impl Codings {
    fn push(&mut self, coding: &[u8]) {
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        *self = match (&self, is_chunked) {
            (Codings::None, true) => Codings::Chunked,
            (_, false) => Codings::Endless,
            (Codings::Chunked | Codings::ChunkedTwice, true) => Codings::ChunkedTwice,
            (Codings::Endless | Codings::Unknown, true) => Codings::Unknown,
        };
    }
}

/// The elements of a list (RFC 9110 section 5.6.1). An empty value has one, which is empty.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|it| *it == b',').map(|element| {
        let (start, end) = trimmed(element, 0, element.len());
        &element[start..end]
    })
}
