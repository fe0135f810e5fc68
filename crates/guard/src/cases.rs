//! What is counted. Every case checks its results, so that none becomes cheaper by doing less.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use liveline_proto::http1::{AnswerHead, Connection, DateCache, Head, HeadLimits, Received};
use liveline_proto::{
    Action, Attachment, Caller, Effect, Engine, Event, Exchange, ExchangeId, Input, JoinOptions, Limits,
    LineId, Opening, Outgoing, OwnerId, Priority, QueuedFrame, Reach, Take, Token, TransportKind, Visitor,
    websocket,
};

/// A hot path.
pub(crate) struct Case {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// How many operations a run has.
    pub(crate) operations: u32,
    /// Makes what a run needs, and returns the run.
    pub(crate) prepare: fn() -> Box<dyn FnMut()>,
}

pub(crate) const CASES: [Case; 7] = [
    Case { name: "head of a browser", operations: MANY, prepare: head_of_a_browser },
    Case { name: "body in chunks", operations: MANY, prepare: body_in_chunks },
    Case { name: "plain request", operations: MANY, prepare: plain_request },
    Case { name: "echo", operations: MANY, prepare: || echoes(1) },
    Case { name: "echo, 16 on the way", operations: MANY, prepare: || echoes(16) },
    Case { name: "echo on a line", operations: MANY, prepare: echo_on_a_line },
    Case { name: "fan-out", operations: MEMBERS * MESSAGES, prepare: fan_out },
];

const MANY: u32 = 1024;
/// Lines in the channel of the fan-out, and messages that each but the sender receives.
const MEMBERS: u32 = 1000;
const MESSAGES: u32 = 10;
/// Bytes of a message.
const SIZE: usize = 100;

/// What a client sends when it begins to listen.
const CONNECT: &str = r#"{".wq":{"type":"message","eventID":"E1"},"ping":"connect"}"#;

const LIMITS: HeadLimits = HeadLimits { bytes: 64 * 1024, target: 16 * 1024, fields: 100 };

const PLAIN: &[u8] = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nx-name: bench\r\n\r\n";

const BROWSER: &[u8] = b"GET /articles/17?page=2&sort=title HTTP/1.1\r\nHost: example.org\r\n\
    Connection: keep-alive\r\nCache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n\
    Referer: https://example.org/articles\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

/// A head with 17 fields is parsed and its request answered with an empty body.
fn head_of_a_browser() -> Box<dyn FnMut()> {
    let (mut connection, mut head, mut out) = (Connection::new(LIMITS), Head::default(), Vec::new());
    let mut date = DateCache::default();
    Box::new(move || {
        for _ in 0..MANY {
            let (received, read) = connection.receive(black_box(BROWSER), &mut head);
            assert!(matches!(received, Received::Request(_, None)) && read == BROWSER.len());
            assert_eq!(head.fields.len(), 17);
            out.clear();
            let answer = AnswerHead { status: 204, reason: b"No Content", length: Some(0) };
            connection.respond(answer, std::iter::empty(), date.at(1_795_824_000), &mut out);
            connection.finish(&mut out).expect("an answer without a body has all of it");
        }
    })
}

/// A body of 1 KB in eight chunks.
fn body_in_chunks() -> Box<dyn FnMut()> {
    let mut bytes = b"POST /post HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..8 {
        bytes.extend_from_slice(b"80\r\n");
        bytes.extend_from_slice(&[b'x'; 128]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let (mut connection, mut head, mut out) = (Connection::new(LIMITS), Head::default(), Vec::new());
    let mut date = DateCache::default();
    Box::new(move || {
        for _ in 0..MANY {
            let (mut rest, mut length) = (black_box(&bytes[..]), 0);
            loop {
                let (received, read) = connection.receive(rest, &mut head);
                rest = &rest[read..];
                match received {
                    Received::Data(data) => length += data.len(),
                    Received::End => break,
                    Received::Request(_, None) | Received::Nothing => {}
                    other => unreachable!("the request is valid: {other:?}"),
                }
            }
            assert!(length == 1024 && rest.is_empty());
            out.clear();
            let answer = AnswerHead { status: 204, reason: b"No Content", length: Some(0) };
            connection.respond(answer, std::iter::empty(), date.at(1_795_824_000), &mut out);
            connection.finish(&mut out).expect("an answer without a body has all of it");
        }
    })
}

/// A request that a handler answers at once: its head, the exchange, the head of the answer, its body.
fn plain_request() -> Box<dyn FnMut()> {
    let (mut connection, mut head, mut out) = (Connection::new(LIMITS), Head::default(), Vec::new());
    let mut date = DateCache::default();
    Box::new(move || {
        for _ in 0..MANY {
            let (received, read) = connection.receive(black_box(PLAIN), &mut head);
            assert!(matches!(received, Received::Request(_, None)) && read == PLAIN.len());
            let mut exchange = Exchange::new(Reach::Line);
            let body: &[u8] = black_box(b"0 /hello bench");
            let inputs = [Input::Answer { answer: body, done: true }, Input::Returned, Input::TurnEnded];
            let mut answered = None;
            for input in inputs {
                if let Effect::Answer(body) = exchange.handle(input).expect("an exchange has one answer") {
                    answered = Some(body);
                }
            }
            let body = answered.expect("the turn has ended");
            out.clear();
            let answer = AnswerHead { status: 200, reason: b"OK", length: Some(body.len() as u64) };
            let fields = [(&b"content-type"[..], &b"text/plain;charset=UTF-8"[..])];
            connection.respond(answer, fields.into_iter(), date.at(1_795_824_000), &mut out);
            let part = connection.part(body.len(), &mut out);
            out.extend_from_slice(&body[..part.length]);
            out.extend_from_slice(part.end);
            connection.finish(&mut out).expect("the body is complete");
            assert!(connection.is_idle());
        }
    })
}

/// A client's frame with a message, masked.
fn masked(text: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(text.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Messages are decoded, so many at a time, and encoded again.
fn echoes(at_once: u32) -> Box<dyn FnMut()> {
    let sent = masked(&[b'x'; SIZE]).repeat(at_once as usize);
    let (mut decoder, mut input, mut out) = (websocket::Decoder::new(1 << 20), Vec::new(), Vec::new());
    Box::new(move || {
        for _ in 0..MANY / at_once {
            input.clear();
            input.extend_from_slice(black_box(&sent));
            out.clear();
            let read = decoder.feed(&mut input, |received| {
                if let websocket::Received::Text(text) = received {
                    websocket::frame(websocket::Kind::Text, text.as_bytes(), &mut out);
                }
                ControlFlow::Continue(())
            });
            assert!(read.is_ok() && out.len() == at_once as usize * (SIZE + 2));
        }
    })
}

/// The engine with its lines, all by sockets.
struct Lines {
    engine: Engine,
    attachments: Vec<Attachment>,
    taken: Vec<Outgoing>,
    out: Vec<u8>,
}

impl Lines {
    #[allow(clippy::disallowed_methods, reason = "a history has to begin at some time")]
    fn open(count: u32) -> Lines {
        let limits = Limits { lines_per_address: usize::MAX, ..Limits::default() };
        let mut engine = Engine::new(limits, Instant::now());
        let visitor = Visitor { session: None, address: [127, 0, 0, 1].into() };
        let attachments = (0..count).map(|number| {
            let token = Token(u128::from(number).to_be_bytes());
            let exchange = ExchangeId(number.into());
            let opening = Opening { owner: OwnerId(0), exchange, visitor: visitor.clone(), token };
            let line = engine.open(opening).expect("the address may have any number of lines");
            engine.accept(line);
            let caller = Caller::from(&visitor);
            let attachment = engine.join(token, TransportKind::Socket, caller).expect("the visitor joins");
            engine.receive(attachment, CONNECT);
            attachment
        });
        let attachments = attachments.collect();
        engine.actions();
        Lines { engine, attachments, taken: Vec::new(), out: Vec::new() }
    }

    /// Writes all that a line has to send, as a driver does. Returns how many frames that was.
    fn write(&mut self, attachment: Attachment) -> usize {
        self.out.clear();
        while self.engine.take(attachment, 64 * 1024, &mut self.taken) == Take::Some {}
        let count = self.taken.len();
        for outgoing in self.taken.drain(..) {
            if let Outgoing::Frame(frame) = outgoing {
                websocket::frame(websocket::Kind::Text, frame.as_str().as_bytes(), &mut self.out);
            }
        }
        self.engine.written(attachment);
        black_box(&self.out);
        count
    }

    /// The lines that are to be written.
    fn woken(&mut self) -> Vec<LineId> {
        let mut woken = Vec::new();
        for action in self.engine.actions() {
            match action {
                Action::Wake(line) => woken.push(line),
                Action::WakeAll(lines) => woken.extend(lines),
                Action::Dispatch { .. } | Action::Ended(_) => {}
            }
        }
        woken
    }
}

/// A message in an envelope arrives on a line; its handler sends another one and acknowledges it.
fn echo_on_a_line() -> Box<dyn FnMut()> {
    let mut lines = Lines::open(1);
    let attachment = lines.attachments[0];
    let message =
        format!(r#"{{"message":"{}",".wq":{{"type":"message","eventID":"E17"}}}}"#, "x".repeat(SIZE));
    let answer =
        format!(r#"{{"message":"{}",".wq":{{"type":"message","eventID":"h-17"}}}}"#, "x".repeat(SIZE));
    lines.write(attachment);
    Box::new(move || {
        for _ in 0..MANY {
            lines.engine.receive(attachment, black_box(&message));
            let dispatched = lines.engine.actions().find_map(|action| match action {
                Action::Dispatch { event: Event::Message { size, .. }, .. } => Some(size),
                _ => None,
            });
            let size = dispatched.expect("the handler receives the message");
            lines.engine.send(attachment.line, QueuedFrame::new(Priority::Message, answer.clone()));
            lines.engine.acknowledge(attachment.line, size);
            lines.engine.actions();
            assert_eq!(lines.write(attachment), 1);
        }
    })
}

/// One member's message for all others of its channel, written to each of them.
fn fan_out() -> Box<dyn FnMut()> {
    let mut lines = Lines::open(MEMBERS + 1);
    let channel: liveline_proto::ChannelId = "room".parse().expect("the name of a channel");
    for attachment in &lines.attachments {
        lines.engine.enter(attachment.line, channel.clone(), JoinOptions::default());
    }
    let later = Instant::now() + Duration::from_secs(1);
    lines.engine.at(later).tick();
    lines.engine.actions();
    for attachment in lines.attachments.clone() {
        lines.write(attachment);
    }
    let message =
        format!(r#"{{"message":"{}",".wq":{{"type":"room:message","eventID":"E17"}}}}"#, "x".repeat(SIZE));
    let sender = lines.attachments[0];
    let receivers = lines.attachments.split_off(1);
    Box::new(move || {
        for _ in 0..MESSAGES {
            lines.engine.receive(sender, black_box(&message));
            let woken = lines.woken();
            assert!(woken.len() >= receivers.len());
            let written: usize = receivers.iter().map(|receiver| lines.write(*receiver)).sum();
            assert_eq!(written, receivers.len());
            lines.write(sender);
        }
    })
}
