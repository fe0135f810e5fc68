//! The protocols of a connection: its first request, when it is open, and what a message looks like.

use serde_json::Value;

use super::frames::{self, TEXT};
use super::head::Head;

/// The event id of a live line's first ping.
const HELLO: &str = "E";
const NUMBERED: &str = "liveline.v1";
/// One acknowledgement is sent for so many numbered frames.
const FRAMES_PER_ACK: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protocol {
    /// A live line: a GET, then a WebSocket to the address it answers with, then a ping.
    Line,
    /// The same with the subprotocol `liveline.v1`: frames are numbered and acknowledged.
    NumberedLine,
    WebSocket,
    /// Socket.IO 5 over Engine.IO 4, without its long polling.
    SocketIo,
    /// Server-sent events.
    Events,
    /// Requests one after the other on one connection: POST with a text, GET without.
    Http,
}

/// The path that a connection requests, and its protocol.
#[derive(Clone, Debug)]
pub struct Transport {
    pub protocol: Protocol,
    pub path: String,
    /// The type of the messages that it sends.
    pub kind: String,
}

/// The state of a connection that is being opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// Waits for the answer to its GET.
    Asking,
    /// Waits for 101.
    Upgrading,
    /// Waits for 101 on a line that it resumes.
    Resuming,
    /// Waits for the handshake of the protocol inside the WebSocket.
    Greeting,
    Open,
}

/// What the first bytes are; the number is their length.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// More bytes have to come first.
    Wait,
    /// Nothing that matters here.
    Skip(usize),
    /// A ping, whose pong is enqueued.
    Ping(usize),
    Message(&'a [u8], usize),
    /// The connection is in this phase from here on.
    Phase(Phase, usize),
    /// The path of a line, which is joined by a socket of its own.
    Join(String),
}

/// The bytes that a connection has to send, and what was received about its line.
#[derive(Debug, Default)]
pub struct ConnectionState {
    pub unsent: Vec<u8>,
    cookies: String,
    /// On a numbered line: the number of the newest received frame, and the token for the next connection.
    newest: u64,
    token: String,
}

impl Transport {
    pub fn new(protocol: Protocol, path: &str, kind: &str) -> Self {
        Self { protocol, path: path.to_owned(), kind: kind.to_owned() }
    }

    /// Enqueues the first request of a new connection. Returns the phase that follows.
    pub fn begin(&self, state: &mut ConnectionState) -> Phase {
        let path = &self.path;
        let accept = match self.protocol {
            Protocol::Line | Protocol::NumberedLine => "x-accept-live: *",
            Protocol::Events => "accept: text/event-stream",
            Protocol::Http => return Phase::Open,
            Protocol::WebSocket | Protocol::SocketIo => return self.join(path, state),
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{accept}\r\n\r\n");
        state.unsent.extend_from_slice(request.as_bytes());
        Phase::Asking
    }

    /// Enqueues the handshake of a WebSocket.
    pub fn join(&self, path: &str, state: &mut ConnectionState) -> Phase {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        if !state.cookies.is_empty() {
            request += &format!("cookie: {}\r\n", state.cookies);
        }
        if self.protocol == Protocol::NumberedLine {
            request += &format!("sec-websocket-protocol: {NUMBERED}\r\n");
        }
        state.unsent.extend_from_slice(request.as_bytes());
        state.unsent.extend_from_slice(b"\r\n");
        Phase::Upgrading
    }

    /// Enqueues the handshake that resumes a numbered line after its connection was lost.
    pub fn resume(&self, state: &mut ConnectionState) -> Phase {
        state.unsent.clear();
        let path = format!("/.liveline/{}?v=2&after={}", state.token, state.newest);
        self.join(&path, state);
        Phase::Resuming
    }

    /// Appends a message; `number` is that of the message on this connection, from 1.
    pub fn send(&self, text: &str, number: u64, into: &mut Vec<u8>) {
        let (kind, path) = (&self.kind, &self.path);
        match self.protocol {
            Protocol::Line | Protocol::NumberedLine => {
                let meta = format!(r#"{{"type":"{kind}","eventID":"m{number}"}}"#);
                self.envelope(number + 1, &format!(r#"{{"message":"{text}",".wq":{meta}}}"#), into);
            }
            Protocol::WebSocket => frames::write(TEXT, text.as_bytes(), into),
            Protocol::SocketIo => frames::write(TEXT, format!(r#"42["{kind}","{text}"]"#).as_bytes(), into),
            Protocol::Http if text.is_empty() => {
                into.extend(
                    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-name: bench\r\n\r\n").into_bytes(),
                );
            }
            Protocol::Http => {
                let length = text.len();
                let head =
                    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n");
                into.extend_from_slice(head.as_bytes());
                into.extend_from_slice(text.as_bytes());
            }
            // Clients cannot send there.
            Protocol::Events => {}
        }
    }

    /// Appends an envelope. The first of a connection is its ping.
    fn envelope(&self, number: u64, text: &str, into: &mut Vec<u8>) {
        match self.protocol {
            Protocol::NumberedLine => frames::write(TEXT, format!("{number} {text}").as_bytes(), into),
            _ => frames::write(TEXT, text.as_bytes(), into),
        }
    }

    /// Reads one head, frame or event from the beginning of the bytes, and enqueues the replies that the protocol asks
    /// for.
    pub fn step<'a>(
        &self,
        phase: Phase,
        bytes: &'a [u8],
        state: &mut ConnectionState,
    ) -> Result<Step<'a>, String> {
        match (phase, self.protocol) {
            (Phase::Asking | Phase::Upgrading | Phase::Resuming, _) => self.answered(phase, bytes, state),
            (_, Protocol::Http) => answer(bytes),
            (_, Protocol::Events) => Ok(event(bytes)),
            _ => self.received(phase, bytes, state),
        }
    }

    fn answered<'a>(
        &self,
        phase: Phase,
        bytes: &'a [u8],
        state: &mut ConnectionState,
    ) -> Result<Step<'a>, String> {
        let Some(head) = Head::read(bytes)? else { return Ok(Step::Wait) };
        let Head { status, length, .. } = head;
        match (phase, self.protocol, status) {
            (Phase::Asking, Protocol::Events, 200) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Asking, Protocol::Line | Protocol::NumberedLine, 200 | 202) => {
                let Some(line) = head.get("x-live-session") else {
                    return Err(format!("{}: its answer names no line", self.path));
                };
                let path = line.strip_prefix("socket://").unwrap_or(line).to_owned();
                let pair = |cookie: &'a str| cookie.split(';').next().unwrap_or(cookie);
                state.cookies = head.all("set-cookie").map(pair).collect::<Vec<_>>().join("; ");
                Ok(Step::Join(path))
            }
            (Phase::Upgrading, Protocol::WebSocket, 101) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Upgrading, Protocol::SocketIo, 101) => Ok(Step::Phase(Phase::Greeting, length)),
            (Phase::Upgrading | Phase::Resuming, Protocol::NumberedLine, 101)
                if head.get("sec-websocket-protocol") != Some(NUMBERED) =>
            {
                Err(format!("the host does not support {NUMBERED}"))
            }
            (Phase::Resuming, _, 101) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Upgrading, Protocol::Line | Protocol::NumberedLine, 101) => {
                let hello = format!(
                    r#"{{".wq":{{"type":"message","eventID":"{HELLO}","numPorts":1}},"ping":"connect"}}"#
                );
                self.envelope(1, &hello, &mut state.unsent);
                Ok(Step::Phase(Phase::Greeting, length))
            }
            _ => Err(format!("{} is answered with status {status}", self.path)),
        }
    }

    fn received<'a>(
        &self,
        phase: Phase,
        bytes: &'a [u8],
        state: &mut ConnectionState,
    ) -> Result<Step<'a>, String> {
        let Some(frame) = frames::read(bytes)? else { return Ok(Step::Wait) };
        let (payload, length) = (frame.payload, frame.length);
        match frame.opcode {
            frames::PING => {
                frames::write(frames::PONG, payload, &mut state.unsent);
                return Ok(Step::Ping(length));
            }
            frames::CLOSE => return Err(closed(payload)),
            frames::PONG => return Ok(Step::Skip(length)),
            _ => {}
        }
        match self.protocol {
            Protocol::SocketIo => return Ok(socket_io(payload, length, state)),
            Protocol::NumberedLine if payload.first().is_some_and(u8::is_ascii_lowercase) => {
                state.control(payload)?;
                return Ok(Step::Skip(length));
            }
            Protocol::NumberedLine => state.count(payload)?,
            _ => {}
        }
        match phase {
            Phase::Greeting if contains(payload, format!(r#""{HELLO}:0:message""#).as_bytes()) => {
                Ok(Step::Phase(Phase::Open, length))
            }
            Phase::Greeting => Ok(Step::Skip(length)),
            _ => Ok(Step::Message(payload, length)),
        }
    }
}

impl ConnectionState {
    /// A frame without a number. The welcome names the token of the next connection, and is acknowledged.
    fn control(&mut self, payload: &[u8]) -> Result<(), String> {
        let Some(welcome) = payload.strip_prefix(b"w") else { return Ok(()) };
        let welcome: Value =
            serde_json::from_slice(welcome).map_err(|error| format!("a welcome: {error}"))?;
        match welcome["token"].as_str() {
            Some(token) => self.token = token.to_owned(),
            None => return Err("a welcome without a token".to_owned()),
        }
        self.acknowledge();
        Ok(())
    }

    /// A frame with a number. The first is acknowledged at once, so that an idle line owes nothing, then one in `FRAMES_PER_ACK`.
    fn count(&mut self, payload: &[u8]) -> Result<(), String> {
        let digits = payload.iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |sum: u64, digit| sum.saturating_mul(10) + u64::from(digit - b'0'));
        if number != self.newest + 1 {
            return Err(format!("frame {number} came after frame {}", self.newest));
        }
        self.newest = number;
        if number == 1 || number.is_multiple_of(FRAMES_PER_ACK) {
            self.acknowledge();
        }
        Ok(())
    }

    fn acknowledge(&mut self) {
        frames::write(TEXT, format!("a{}", self.newest).as_bytes(), &mut self.unsent);
    }
}

fn socket_io<'a>(payload: &'a [u8], length: usize, state: &mut ConnectionState) -> Step<'a> {
    match payload {
        [b'4', b'2', ..] => return Step::Message(payload, length),
        [b'4', b'0', ..] => return Step::Phase(Phase::Open, length),
        [b'0', ..] => frames::write(TEXT, b"40", &mut state.unsent),
        [b'2', ..] => frames::write(TEXT, b"3", &mut state.unsent),
        _ => {}
    }
    Step::Skip(length)
}

/// A whole answer to a request on a connection that stays.
fn answer(bytes: &[u8]) -> Result<Step<'_>, String> {
    let Some(head) = Head::read(bytes)? else { return Ok(Step::Wait) };
    if !(200..300).contains(&head.status) {
        return Err(format!("a request is answered with status {}", head.status));
    }
    let Some(body) = head.get("content-length").and_then(|length| length.parse::<usize>().ok()) else {
        return Err("an answer without content-length".to_owned());
    };
    let length = head.length + body;
    Ok(bytes.get(head.length..length).map_or(Step::Wait, |body| Step::Message(body, length)))
}

/// One line of a stream of events. Empty lines and those of the chunked coding are skipped.
fn event(bytes: &[u8]) -> Step<'_> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Step::Wait };
    match bytes[..end].strip_prefix(b"data:") {
        Some(data) => Step::Message(data.trim_ascii(), end + 1),
        None => Step::Skip(end + 1),
    }
}

fn closed(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("closed with {} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "closed without a code".to_owned(),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(transport: &Transport, phase: Phase, bytes: &'a [u8]) -> (Step<'a>, Vec<u8>) {
        let mut state = ConnectionState::default();
        (transport.step(phase, bytes, &mut state).expect("nothing is wrong"), state.unsent)
    }

    #[test]
    fn step_answer_with_a_line_joins_it_with_its_cookies() {
        let transport = Transport::new(Protocol::Line, "/echo", "message");
        let answer = b"HTTP/1.1 202 Accepted\r\nset-cookie: s=1; Path=/\r\n\
                       x-live-session: socket:///.liveline/ab?v=2\r\n\r\n";
        let mut state = ConnectionState::default();
        let joins = transport.step(Phase::Asking, answer, &mut state);
        assert_eq!(joins, Ok(Step::Join("/.liveline/ab?v=2".to_owned())));
        transport.join("/.liveline/ab?v=2", &mut state);
        assert!(contains(&state.unsent, b"\r\ncookie: s=1\r\n"));
    }

    #[test]
    fn step_line_opens_with_the_reply_to_its_ping() {
        let transport = Transport::new(Protocol::Line, "/echo", "message");
        let (done, answers) = step(&transport, Phase::Upgrading, b"HTTP/1.1 101 Switching\r\n\r\n");
        assert!(matches!(done, Step::Phase(Phase::Greeting, _)));
        assert!(contains(&answers, br#""ping":"connect""#));
        let reply = br#"{"message":{"isOpen":true},".wq":{"type":"E:0:message"}}"#;
        let frame = [&[0x81, reply.len() as u8], &reply[..]].concat();
        assert_eq!(step(&transport, Phase::Greeting, &frame).0, Step::Phase(Phase::Open, frame.len()));
    }

    #[test]
    fn step_numbered_line_acknowledges_and_resumes_after_the_newest() {
        let transport = Transport::new(Protocol::NumberedLine, "/echo", "message");
        let frame = |text: &str| [&[0x81, text.len() as u8], text.as_bytes()].concat();
        let mut state = ConnectionState::default();
        for text in [r#"w{"token":"ab"}"#, "1 {}", "2 {}", "a7"] {
            transport.step(Phase::Open, &frame(text), &mut state).expect("a good frame");
        }
        let mut confirmed = Vec::new();
        frames::write(TEXT, b"a0", &mut confirmed);
        frames::write(TEXT, b"a1", &mut confirmed);
        assert_eq!(state.unsent, confirmed);
        assert!(transport.step(Phase::Open, &frame("4 {}"), &mut state).is_err());
        assert!(transport.step(Phase::Open, &frame("{}"), &mut state).is_err());
        assert_eq!(transport.resume(&mut state), Phase::Resuming);
        assert!(state.unsent.starts_with(b"GET /.liveline/ab?v=2&after=2 "));
    }

    #[test]
    fn step_host_without_the_subprotocol_is_an_error() {
        let transport = Transport::new(Protocol::NumberedLine, "/echo", "message");
        let answer = b"HTTP/1.1 101 Switching\r\n\r\n";
        assert!(transport.step(Phase::Upgrading, answer, &mut ConnectionState::default()).is_err());
    }

    #[test]
    fn step_ping_is_answered_and_is_no_message() {
        let transport = Transport::new(Protocol::WebSocket, "/", "message");
        let (done, answers) = step(&transport, Phase::Open, &[0x89, 1, b'x']);
        assert_eq!((done, &answers[..]), (Step::Ping(3), &[0x8a, 0x81, 0, 0, 0, 0, b'x'][..]));
    }

    #[test]
    fn step_close_is_an_end_with_its_code() {
        let transport = Transport::new(Protocol::WebSocket, "/", "message");
        let end = transport.step(Phase::Open, &[0x88, 2, 0x03, 0xf4], &mut ConnectionState::default());
        assert_eq!(end, Err("closed with 1012 ".to_owned()));
    }

    #[test]
    fn step_event_reads_data_and_skips_the_rest() {
        let transport = Transport::new(Protocol::Events, "/", "message");
        assert_eq!(step(&transport, Phase::Open, b"data: 1\n\n").0, Step::Message(b"1", 8));
        assert_eq!(step(&transport, Phase::Open, b"1f\r\ndata").0, Step::Skip(4));
        assert_eq!(step(&transport, Phase::Open, b"data: 1").0, Step::Wait);
    }

    #[test]
    fn step_answer_waits_for_its_body() {
        let transport = Transport::new(Protocol::Http, "/", "message");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(step(&transport, Phase::Open, answer).0, Step::Message(b"ok", answer.len()));
        assert_eq!(step(&transport, Phase::Open, &answer[..answer.len() - 1]).0, Step::Wait);
    }
}
