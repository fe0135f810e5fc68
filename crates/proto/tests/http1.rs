//! What a connection reads from its client's bytes, section by section of RFC 9112, and as httparse reads it.

use liveline_proto::http1::{
    AnswerHead, BodyError, BodyLength, Connection, Flaw, Head, HeadError, HeadLimits, Known, Received,
    Version,
};
use proptest::prelude::*;

#[allow(dead_code, reason = "the target is more than its reader")]
#[path = "../fuzz/targets/http1.rs"]
mod target;

use target::{Event, LIMITS, Request, read};

/// What is read from bytes, which is the same in pieces of any size.
#[track_caller]
fn events(bytes: &str) -> Vec<Event> {
    let whole = read(bytes.as_bytes(), usize::MAX);
    for piece in (1..bytes.len().min(70)).chain([1000]) {
        assert_eq!(read(bytes.as_bytes(), piece), whole, "{bytes:?} in pieces of {piece}");
    }
    whole
}

/// The only request, which has no body.
#[track_caller]
fn request(bytes: &str) -> Request {
    match events(bytes).as_slice() {
        [Event::Request(request)] => request.clone(),
        other => panic!("{bytes:?}: {other:?}"),
    }
}

/// No request, and none of what follows.
#[track_caller]
fn no_head(bytes: &str, error: HeadError) {
    let second = "GET /second HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(events(&format!("{bytes}{second}")), [Event::NoHead(error)], "{bytes:?}");
}

/// A request that must not be served, and nothing of what follows.
#[track_caller]
fn flawed(bytes: &str, flaw: Flaw) {
    let request = request(&format!("{bytes}5\r\nhello\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(request.flaw, Some(flaw), "{bytes:?}");
}

fn field(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// RFC 9112 sections 2 to 5.
#[test]
fn a_head_has_a_line_and_fields() {
    let request =
        request("GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:\tb c \t\r\nx-empty:\r\nX-\u{7e}: \u{e9}\r\n\r\n");
    assert_eq!((request.method, request.target), (b"GET".to_vec(), b"/a?b=c".to_vec()));
    assert_eq!((request.version, request.body, request.flaw), (Version::Http11, BodyLength::None, None));
    let fields = [field("Host", "x"), field("X-A", "b c"), field("x-empty", ""), field("X-~", "\u{e9}")];
    assert_eq!(request.fields, fields);
}

/// RFC 9112 section 2.2.
#[test]
fn empty_lines_before_a_request_are_ignored() {
    let bytes = "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx\r\n";
    assert_eq!(events(bytes).len(), 3);
    no_head("\n", HeadError::LineBreak);
    no_head("\r\n\rGET", HeadError::RequestLine);
}

/// RFC 9112 sections 2.2, 2.3, 3 and 5.
#[test]
fn what_is_no_head() {
    for (head, error) in [
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\n X-A: 1\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost : x\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\rX-B: 2\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x7f\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\x0b\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nX\0A: 1\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nX\u{e9}: 1\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\n: 1\r\n", HeadError::Field),
        ("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n", HeadError::Field),
        ("GET / HTTP/1.1\nHost: x\r\n", HeadError::LineBreak),
        ("GET / HTTP/1.1\r\nHost: x\nX-A: 1\r\n", HeadError::LineBreak),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n", HeadError::LineBreak),
        ("GET / HTTP/1.1\r\nHost\n: x\r\n", HeadError::LineBreak),
        ("GET /\0 HTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("GET  / HTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("GET / HTTP/1.1 \r\nHost: x\r\n", HeadError::RequestLine),
        ("GET / HTTP/1.1\rHost: x\r\n", HeadError::RequestLine),
        ("GET /a b HTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("GET\t/\tHTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("GET / http/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("GET / HTTP/11\r\nHost: x\r\n", HeadError::Version),
        ("GET / HTTP/1.2\r\nHost: x\r\n", HeadError::Version),
        ("GET / HTTP/2.0\r\nHost: x\r\n", HeadError::Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n", HeadError::Version),
        ("GET /\r\nHost: x\r\n", HeadError::RequestLine),
        ("G(T / HTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        (" GET / HTTP/1.1\r\nHost: x\r\n", HeadError::RequestLine),
        ("\x16\x03\x01\x02\r\n", HeadError::RequestLine),
    ] {
        no_head(&format!("{head}\r\n"), error);
    }
}

#[test]
fn a_head_has_limits() {
    let many = "X-A: 1\r\n".repeat(LIMITS.fields);
    no_head(&format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), HeadError::TooManyFields);
    let long = "x".repeat(LIMITS.bytes);
    no_head(&format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {long}\r\n\r\n"), HeadError::TooLarge);
    no_head(&format!("GET /{} HTTP/1.1\r\n\r\n", &long[..LIMITS.target]), HeadError::TargetTooLong);
    // To the byte.
    let fitting = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: x\r\nX-A: ";
        format!("{start}{}\r\n\r\n", &long[..length - start.len() - 4])
    };
    assert_eq!(request(&fitting(LIMITS.bytes)).fields.len(), 2);
    no_head(&fitting(LIMITS.bytes + 1), HeadError::TooLarge);
}

/// RFC 9112 section 6: where a request's body ends is never a matter of opinion.
#[test]
fn a_body_has_one_length() {
    for (headers, flaw) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Flaw::Ambiguous),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Flaw::Ambiguous),
        ("transfer-encoding: chunked\r\nX-A: 1\r\ncontent-length: 0", Flaw::Ambiguous),
        ("Content-Length: 5\r\nContent-Length: 6", Flaw::Ambiguous),
        ("Content-Length: 5\r\nContent-Length: 5", Flaw::Ambiguous),
        ("Content-Length: x\r\nContent-Length: 5", Flaw::Ambiguous),
        ("Content-Length: 5, 5", Flaw::Ambiguous),
        ("Content-Length: +5", Flaw::Ambiguous),
        ("Content-Length: -5", Flaw::Ambiguous),
        ("Content-Length: 0x5", Flaw::Ambiguous),
        ("Content-Length: 5 5", Flaw::Ambiguous),
        ("Content-Length:", Flaw::Ambiguous),
        ("Content-Length: 99999999999999999999", Flaw::Ambiguous),
        ("Transfer-Encoding: chunked, chunked", Flaw::ChunkedTwice),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Flaw::ChunkedTwice),
        ("Transfer-Encoding: chunked, identity", Flaw::Endless),
        ("Transfer-Encoding:", Flaw::Endless),
        ("Transfer-Encoding: chunked,", Flaw::Endless),
        ("Transfer-Encoding: \"chunked\"", Flaw::Endless),
        ("Transfer-Encoding: chunked;q=1", Flaw::Endless),
        ("Transfer-Encoding: xchunked", Flaw::Endless),
        ("Transfer-Encoding: identity", Flaw::Endless),
        ("Transfer-Encoding: identity, chunked", Flaw::Coding),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", Flaw::Coding),
    ] {
        flawed(&format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n"), flaw);
    }
    flawed("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", Flaw::Ambiguous);
}

/// RFC 9112 section 3.2.
#[test]
fn a_request_names_one_host() {
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n",
        "GET / HTTP/1.1\r\nHost: x, y\r\n",
        "GET / HTTP/1.1\r\nHost: user@x\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n",
        "GET / HTTP/1.0\r\nHost: x y\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n",
    ] {
        flawed(&format!("{head}\r\n"), Flaw::Host);
    }
    assert_eq!(request("GET / HTTP/1.0\r\n\r\n").flaw, None);
    for target in ["/#", "/a#b", "#", "http://x/#a", "*#"] {
        flawed(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"), Flaw::Fragment);
    }
    assert_eq!(request("G#T / HTTP/1.1\r\nHost: x\r\nX-A: #\r\n\r\n").flaw, None);
    flawed("GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\norigin: http://x\r\n\r\n", Flaw::Origin);
}

/// RFC 9112 sections 6, 7 and 9.3.2.
#[test]
fn requests_follow_each_other() {
    let bytes = "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 31\r\n\r\nContent-Length: 1\nand so on\r\n\r\n\
        POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n\
        1c;a=b\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n\r\n\r\n0\r\nContent-Length: 5\r\n\r\n\
        GET /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n\
        POST /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab";
    let read = events(bytes);
    let bodies: Vec<_> = read
        .iter()
        .map(|event| match event {
            Event::Request(request) => String::from_utf8_lossy(&request.target).into_owned(),
            Event::Body(body) | Event::Unfinished(body) => String::from_utf8_lossy(body).into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    let (first, second) = ("Content-Length: 1\nand so on\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(bodies, ["/1", first, "/2", second, "/3", "/4", "ab"]);
    assert!(matches!(read.last(), Some(Event::Unfinished(_))));
}

#[test]
fn a_body_that_cannot_be_read_is_the_end() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (chunks, body, error) in [
        ("5\r\nhelloworld\r\n0\r\n\r\n", "hello", BodyError::Chunk),
        ("x\r\n", "", BodyError::Chunk),
        ("1\r\na\r\n0\r\nno trailer\r\n\r\n", "a", BodyError::Trailer),
    ] {
        let read = events(&format!("{head}{chunks}GET /second HTTP/1.1\r\nHost: x\r\n\r\n"));
        let unfinished = Event::Unfinished(body.as_bytes().to_vec());
        assert_eq!(read[1..], [unfinished, Event::NoBody(error)], "{chunks:?}");
    }
}

/// A connection that has received these bytes, what it read last, and how much of them.
fn connection(bytes: &str) -> (Connection, Received, usize) {
    let mut connection = Connection::new(LIMITS);
    let (received, read) = connection.receive(bytes.as_bytes(), &mut Head::default());
    (connection, received, read)
}

fn answered(connection: &mut Connection, status: u16, length: Option<u64>) -> String {
    let mut out = Vec::new();
    let head = AnswerHead { status, reason: b"x", length };
    connection.respond(head, [(&b"date"[..], &b"then"[..])].into_iter(), &[b' '; 29], &mut out);
    String::from_utf8(out).expect("text")
}

/// RFC 9112 section 9.3.
#[test]
fn a_connection_persists_unless_someone_closes_it() {
    for (head, persists) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ] {
        let (mut connection, ..) = connection(head);
        let text = answered(&mut connection, 200, Some(0));
        connection.finish(&mut Vec::new()).expect("an empty body");
        assert_eq!((connection.is_idle(), connection.is_closed()), (persists, !persists), "{head}");
        let is_new = head.contains("HTTP/1.1");
        assert_eq!(text.contains("connection: close\r\n"), is_new && !persists, "{text}");
        assert_eq!(text.contains("connection: keep-alive\r\n"), !is_new && persists, "{text}");
    }
}

#[test]
fn a_connection_that_retires_answers_once_more() {
    let (mut idle, ..) = connection("");
    idle.retire();
    assert!(idle.is_reusable());
    let (mut busy, ..) = connection("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    busy.retire();
    assert!(!busy.is_closed());
    assert!(answered(&mut busy, 200, Some(0)).contains("connection: close\r\n"));
    busy.finish(&mut Vec::new()).expect("an empty body");
    assert!(busy.is_closed() && !busy.is_reusable());
    // The client of an answer that is being sent was not informed.
    let (mut sending, ..) = connection("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!answered(&mut sending, 200, Some(0)).contains("connection"));
    sending.retire();
    sending.finish(&mut Vec::new()).expect("an empty body");
    assert!(sending.is_reusable());
    // The rest of a body is no request.
    let (mut unread, ..) = connection("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    answered(&mut unread, 200, Some(0));
    unread.retire();
    unread.finish(&mut Vec::new()).expect("an empty body");
    assert!(!unread.is_closed());
    unread.abandon_body();
    assert!(unread.is_closed() && !unread.is_reusable());
}

/// The next request waits for the answer to the one before it, and for the end of its body.
#[test]
fn requests_are_answered_in_order() {
    let bytes = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let (mut connection, received, mut read) = connection(bytes);
    assert!(matches!(received, Received::Request(_, None)) && connection.has_body());
    let (mut head, rest) = (Head::default(), bytes.as_bytes());
    answered(&mut connection, 200, Some(0));
    connection.finish(&mut Vec::new()).expect("an empty body");
    assert!(!connection.is_idle() && connection.expects_bytes());
    for event in [Received::Data(0..2), Received::End] {
        let (received, more) = connection.receive(&rest[read..], &mut head);
        assert_eq!(received, event);
        read += more;
    }
    assert!(matches!(connection.receive(&rest[read..], &mut head).0, Received::Request(_, None)));
    assert_eq!(connection.receive(rest, &mut head), (Received::Nothing, 0));
    assert!(!connection.expects_bytes());
}

/// RFC 9110 section 10.1.1.
#[test]
fn a_client_that_waits_gets_a_sign_once_and_only_before_the_answer() {
    let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    let wanted = |connection: &mut Connection| {
        let mut out = Vec::new();
        connection.want_body(&mut out);
        String::from_utf8(out).expect("text")
    };
    let (mut waiting, ..) = connection(head);
    assert_eq!(wanted(&mut waiting), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(wanted(&mut waiting), "");
    let (mut sent, ..) = connection(head);
    assert_eq!(sent.receive(b"a", &mut Head::default()), (Received::Data(0..1), 1));
    assert_eq!(wanted(&mut sent), "");
    let (mut late, ..) = connection(head);
    answered(&mut late, 413, Some(0));
    assert_eq!(wanted(&mut late), "");
    let (mut old, ..) = connection(&head.replace("1.1", "1.0"));
    assert_eq!(wanted(&mut old), "");
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection() {
    let (mut connection, ..) = connection("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(connection.body_left(), BodyLength::Known(2));
    connection.abandon_body();
    assert!(answered(&mut connection, 200, Some(0)).contains("connection: close\r\n"));
    connection.finish(&mut Vec::new()).expect("an empty body");
    assert!(connection.is_closed());
}

#[test]
fn no_head_is_due_an_answer() {
    let (mut connection, received, _) = connection("GET\r\n\r\n");
    assert_eq!(received, Received::NoHead(HeadError::RequestLine));
    assert!(!connection.is_closed());
    assert_eq!(HeadError::RequestLine.status(), 400);
    assert!(answered(&mut connection, 400, Some(0)).contains("connection: close\r\n"));
    connection.finish(&mut Vec::new()).expect("an empty body");
    assert!(connection.is_closed());
}

#[test]
fn names_are_recognized_in_the_same_walk() {
    let bytes = b"GET / HTTP/1.1\r\nHOST: x\r\nAccept: */*\r\nX-A: 1\r\n\r\n";
    let mut head = Head::default();
    assert_eq!(head.parse(bytes, &LIMITS), Ok(Some(bytes.len())));
    let known: Vec<_> = head.fields.iter().map(|field| field.known).collect();
    assert_eq!(known, [Some(Known::Host), Some(Known::Accept), None]);
}

/// Pieces of heads, valid and invalid.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        6 => "(GET|POST|G#T) /[a-z.%?=\u{e9}]{0,8} HTTP/1\\.[01]\r\n",
        8 => "([A-Za-z-]{1,9}|Host|X-\u{e9}|a b):[ \t]{0,2}[a-z0-9 ,;\u{e9}]{0,20}[ \t]{0,2}\r\n",
        2 => "\r\n",
        1 => "[\0-\u{7f}]{0,4}",
    ];
    prop::collection::vec(pieces, 0..12)
        .prop_map(|pieces| [pieces.concat(), "\r\n\r\n".into()].concat().into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// httparse accepts more: lines that end in LF alone, and a few bytes in targets.
    #[test]
    fn what_is_read_is_what_another_parser_reads(bytes in heads()) {
        let bytes = bytes.as_slice();
        let start = bytes.iter().position(|it| !b"\r\n".contains(it)).unwrap_or(bytes.len());
        let bytes = &bytes[start..];
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut other = httparse::Request::new(&mut fields);
        let theirs = other.parse(bytes);
        let mut head = Head::default();
        let limits = HeadLimits { fields: 32, ..LIMITS };
        match head.parse(bytes, &limits) {
            Ok(Some(length)) => {
                prop_assert_eq!(theirs, Ok(httparse::Status::Complete(length)));
                prop_assert_eq!(head.method.of(bytes), other.method.expect("a method").as_bytes());
                prop_assert_eq!(head.target.of(bytes), other.path.expect("a target").as_bytes());
                prop_assert_eq!(head.version == Version::Http11, other.version == Some(1));
                let ours: Vec<_> =
                    head.fields.iter().map(|it| (it.name.of(bytes), it.value.of(bytes))).collect();
                let theirs: Vec<_> = other.headers.iter().map(|it| (it.name.as_bytes(), it.value)).collect();
                prop_assert_eq!(ours, theirs);
            }
            Ok(None) => prop_assert!(!matches!(theirs, Ok(httparse::Status::Complete(_)))),
            Err(HeadError::LineBreak) => {}
            Err(error) => prop_assert!(theirs.is_err(), "{error:?} {theirs:?}"),
        }
    }
}
