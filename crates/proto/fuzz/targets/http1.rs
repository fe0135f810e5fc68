//! However a client's bytes are cut, a connection reads the same from them; what it reads is what another parser reads;
//! and a host or path that it accepts is one for a URL parser.

use liveline_proto::http1::{
    AnswerHead, BodyError, BodyLength, Connection, Flaw, Head, HeadError, HeadLimits, Received, Version,
    is_host, is_resolved,
};
use url::Url;

/// The limits of the heads that are checked.
pub(crate) const LIMITS: HeadLimits = HeadLimits { bytes: 4096, target: 2048, fields: 20 };

/// The first byte is the length of the pieces.
pub(crate) fn check(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    for piece in [1, 1 + usize::from(cut % 64)] {
        assert_eq!(without_end(read(bytes, piece)), without_end(whole.clone()));
    }
    for event in &whole {
        check_event(event);
    }
    check_encoded(&whole);
    for word in bytes.split(|byte| byte.is_ascii_whitespace()) {
        check_host(word);
        check_path(word);
    }
}

/// What a connection reads from its client's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Request(Request),
    /// The body of the request before, to its end.
    Body(Vec<u8>),
    /// What was received of a body that has not ended.
    Unfinished(Vec<u8>),
    NoHead(HeadError),
    NoBody(BodyError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: BodyLength,
    pub(crate) flaw: Option<Flaw>,
}

impl Request {
    fn of(head: &Head, bytes: &[u8], flaw: Option<Flaw>) -> Request {
        let owned = |bytes: &[u8]| bytes.to_vec();
        Request {
            method: owned(head.method.of(bytes)),
            target: owned(head.target.of(bytes)),
            version: head.version,
            fields: head
                .fields
                .iter()
                .map(|field| (owned(field.name.of(bytes)), owned(field.value.of(bytes))))
                .collect(),
            body: head.body,
            flaw,
        }
    }
}

/// Passes the bytes to a connection in pieces of this size and answers every request when it is complete.
pub(crate) fn read(bytes: &[u8], piece: usize) -> Vec<Event> {
    let mut connection = Connection::new(LIMITS);
    let (mut head, mut waiting, mut events) = (Head::default(), Vec::new(), Vec::new());
    let mut body = None;
    let mut out = Vec::new();
    let mut pieces = bytes.chunks(piece);
    loop {
        let (received, read) = connection.receive(&waiting, &mut head);
        assert!(read <= waiting.len());
        let is_nothing = received == Received::Nothing;
        match received {
            Received::Nothing => {}
            Received::Request(range, flaw) => {
                assert!(range.end == read && connection.is_closed() <= (flaw.is_some()));
                events.push(Event::Request(Request::of(&head, &waiting[range], flaw)));
                body = connection.has_body().then(Vec::new);
            }
            Received::Data(data) => {
                assert!(!data.is_empty() && data.end == read);
                body.as_mut().expect("a body").extend_from_slice(&waiting[data]);
            }
            Received::End => events.push(Event::Body(body.take().expect("a body"))),
            Received::NoHead(error) => events.push(Event::NoHead(error)),
            Received::NoBody(error) => {
                events.push(Event::Unfinished(body.take().expect("a body")));
                events.push(Event::NoBody(error));
            }
        }
        waiting.drain(..read);
        if !is_nothing && !connection.has_body() && !connection.is_idle() && !connection.is_closed() {
            answer(&mut connection, &mut out);
        }
        if is_nothing {
            let Some(piece) = pieces.next().filter(|_| !connection.is_closed()) else { break };
            waiting.extend_from_slice(piece);
        }
    }
    events.extend(body.map(Event::Unfinished));
    events
}

fn answer(connection: &mut Connection, out: &mut Vec<u8>) {
    let head = AnswerHead { status: 200, reason: b"OK", length: Some(0) };
    connection.respond(head, std::iter::empty(), b"Thu, 01 Jan 1970 00:00:00 GMT", out);
    connection.finish(out).expect("there is no body");
    assert!(connection.is_idle() || connection.is_closed());
}

/// An error may come with the bytes that are wrong, or with the end of their line.
fn without_end(mut events: Vec<Event>) -> Vec<Event> {
    if let Some(Event::NoHead(_)) = events.last() {
        events.pop();
    }
    events
}

/// What every event has to be.
fn check_event(event: &Event) {
    let Event::Request(request) = event else { return };
    assert!(!request.method.is_empty() && request.fields.len() <= LIMITS.fields);
    let fields =
        |name: &str| request.fields.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).count();
    let (lengths, codings) = (fields("content-length"), fields("transfer-encoding"));
    if request.flaw.is_none() {
        assert!(lengths + codings <= 1 && fields("host") <= 1 && fields("origin") <= 1);
        assert_eq!(request.body == BodyLength::Chunked, codings == 1);
        assert!(!request.target.contains(&b'#'));
    }
}

/// Requests that were read are read the same once more, after they were written in another way.
fn check_encoded(events: &[Event]) {
    let mut bytes = Vec::new();
    let mut meant = Vec::new();
    for event in events {
        match event {
            Event::Request(request) => {
                for part in [&request.method[..], b" ", &request.target, b" HTTP/1."] {
                    bytes.extend_from_slice(part);
                }
                bytes.extend_from_slice(if request.version == Version::Http10 { b"0\r\n" } else { b"1\r\n" });
                for (name, value) in &request.fields {
                    bytes.extend_from_slice(&[name, &b":\t"[..], value, b" \r\n"].concat());
                }
                bytes.extend_from_slice(b"\r\n");
                meant.push(event.clone());
            }
            Event::Body(body) => {
                let is_chunked =
                    matches!(meant.last(), Some(Event::Request(it)) if it.body == BodyLength::Chunked);
                if is_chunked {
                    for chunk in body.chunks(3) {
                        bytes.extend_from_slice(format!("{:X};x\r\n", chunk.len()).as_bytes());
                        bytes.extend_from_slice(&[chunk, b"\r\n"].concat());
                    }
                    bytes.extend_from_slice(b"0\r\n\r\n");
                } else {
                    bytes.extend_from_slice(body);
                }
                meant.push(event.clone());
            }
            _ => break,
        }
    }
    let mut again = read(&bytes, bytes.len().max(1));
    // The written heads may be longer than the limit; a body that broke off is not written.
    if let Some(Event::NoHead(HeadError::TooLarge) | Event::Unfinished(_)) = again.last() {
        again.pop();
    }
    assert!(meant.starts_with(&again), "{meant:?}\n{again:?}");
}

fn check_host(word: &[u8]) {
    if is_host(word) {
        let host = std::str::from_utf8(word).expect("a host is ASCII");
        let url = Url::parse(&format!("http://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
        assert!(url.has_host() && url.username().is_empty() && url.path() == "/", "{host}");
    }
}

fn check_path(word: &[u8]) {
    let is_path = |it: &u8| it.is_ascii_graphic() && !b"?#".contains(it);
    let Some(path) = std::str::from_utf8(word).ok().filter(|path| path.starts_with('/')) else { return };
    if path.bytes().all(|it| is_path(&it)) && is_resolved(path) {
        let url = Url::parse(&format!("http://x{path}")).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(url.path().matches('/').count(), path.matches('/').count(), "{path}");
    }
}
