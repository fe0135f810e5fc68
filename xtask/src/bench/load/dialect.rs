//! How one connection talks: what it asks for, when it is open, what a message looks like.

use serde_json::Value;

use super::frames::{self, TEXT};
use super::head::Head;

/// The event id of a live line's first ping.
const HELLO: &str = "E";
const NUMBERED: &str = "liveline.v1";
/// Numbered frames that are confirmed together.
const CONFIRMED: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dialect {
    /// A live line: a GET, then a WebSocket to the address it answers with, then a ping.
    Line,
    /// The same under the subprotocol `liveline.v1`: frames are numbered, and what came is confirmed.
    NumberedLine,
    WebSocket,
    /// Socket.IO 5 over Engine.IO 4, without its long polling.
    SocketIo,
    /// Server-sent events.
    Events,
    /// Requests one after the other on one connection: POST with a text, GET without.
    Http,
}

/// Where a connection goes, and how it talks there.
#[derive(Clone, Debug)]
pub struct Way {
    pub dialect: Dialect,
    pub path: String,
    /// The type of the messages that are said.
    pub kind: String,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// Waits for the answer to its GET.
    Asking,
    /// Waits for 101.
    Upgrading,
    /// Waits for 101 on a line that it has been on before.
    Resuming,
    /// Waits for the first words of the protocol above.
    Greeting,
    Open,
}

/// What the beginning of the bytes meant.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// More bytes have to come first.
    Wait,
    /// So many bytes told nothing.
    Skip(usize),
    /// A ping, which is answered.
    Ping(usize),
    Message(&'a [u8], usize),
    /// On to a later phase.
    Phase(Phase, usize),
    /// The line's address was told: go there with a socket of its own.
    Join(String),
}

/// What a connection has to say, and what it knows of its line.
#[derive(Debug, Default)]
pub struct Talk {
    pub unsent: Vec<u8>,
    cookies: String,
    /// On a numbered line: the number of the newest frame, and the token of the next connection.
    newest: u64,
    token: String,
}

impl Way {
    pub fn new(dialect: Dialect, path: &str, kind: &str) -> Self {
        Self { dialect, path: path.to_owned(), kind: kind.to_owned() }
    }

    /// What a new connection says at once, and the phase it is in then.
    pub fn begin(&self, talk: &mut Talk) -> Phase {
        let path = &self.path;
        let accept = match self.dialect {
            Dialect::Line | Dialect::NumberedLine => "x-accept-live: *",
            Dialect::Events => "accept: text/event-stream",
            Dialect::Http => return Phase::Open,
            Dialect::WebSocket | Dialect::SocketIo => return self.join(path, talk),
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{accept}\r\n\r\n");
        talk.unsent.extend_from_slice(request.as_bytes());
        Phase::Asking
    }

    /// What a socket says at once.
    pub fn join(&self, path: &str, talk: &mut Talk) -> Phase {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        if !talk.cookies.is_empty() {
            request += &format!("cookie: {}\r\n", talk.cookies);
        }
        if self.dialect == Dialect::NumberedLine {
            request += &format!("sec-websocket-protocol: {NUMBERED}\r\n");
        }
        talk.unsent.extend_from_slice(request.as_bytes());
        talk.unsent.extend_from_slice(b"\r\n");
        Phase::Upgrading
    }

    /// What a new socket of a numbered line says at once, after the one before was lost.
    pub fn resume(&self, talk: &mut Talk) -> Phase {
        talk.unsent.clear();
        let path = format!("/.liveline/{}?v=2&after={}", talk.token, talk.newest);
        self.join(&path, talk);
        Phase::Resuming
    }

    /// Appends a message; `number` tells it from the others of this connection.
    pub fn say(&self, text: &str, number: u64, into: &mut Vec<u8>) {
        let (kind, path) = (&self.kind, &self.path);
        match self.dialect {
            Dialect::Line | Dialect::NumberedLine => {
                let meta = format!(r#"{{"type":"{kind}","eventID":"m{number}"}}"#);
                self.envelope(number + 1, &format!(r#"{{"message":"{text}",".wq":{meta}}}"#), into);
            }
            Dialect::WebSocket => frames::write(TEXT, text.as_bytes(), into),
            Dialect::SocketIo => frames::write(TEXT, format!(r#"42["{kind}","{text}"]"#).as_bytes(), into),
            Dialect::Http if text.is_empty() => {
                into.extend(
                    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-name: bench\r\n\r\n").into_bytes(),
                );
            }
            Dialect::Http => {
                let length = text.len();
                let head =
                    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {length}\r\n\r\n");
                into.extend_from_slice(head.as_bytes());
                into.extend_from_slice(text.as_bytes());
            }
            // Nobody speaks there.
            Dialect::Events => {}
        }
    }

    /// Appends an envelope; the first of a connection is its ping.
    fn envelope(&self, number: u64, text: &str, into: &mut Vec<u8>) {
        match self.dialect {
            Dialect::NumberedLine => frames::write(TEXT, format!("{number} {text}").as_bytes(), into),
            _ => frames::write(TEXT, text.as_bytes(), into),
        }
    }

    /// Reads one thing from the beginning of the bytes; what has to be said at once is added to what
    /// is unsent.
    pub fn step<'a>(&self, phase: Phase, bytes: &'a [u8], talk: &mut Talk) -> Result<Step<'a>, String> {
        match (phase, self.dialect) {
            (Phase::Asking | Phase::Upgrading | Phase::Resuming, _) => self.answered(phase, bytes, talk),
            (_, Dialect::Http) => answer(bytes),
            (_, Dialect::Events) => Ok(event(bytes)),
            _ => self.heard(phase, bytes, talk),
        }
    }

    fn answered<'a>(&self, phase: Phase, bytes: &'a [u8], talk: &mut Talk) -> Result<Step<'a>, String> {
        let Some(head) = Head::read(bytes)? else { return Ok(Step::Wait) };
        let Head { status, length, .. } = head;
        match (phase, self.dialect, status) {
            (Phase::Asking, Dialect::Events, 200) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Asking, Dialect::Line | Dialect::NumberedLine, 200 | 202) => {
                let Some(line) = head.get("x-live-session") else {
                    return Err(format!("{}: its answer names no line", self.path));
                };
                let path = line.strip_prefix("socket://").unwrap_or(line).to_owned();
                let pair = |cookie: &'a str| cookie.split(';').next().unwrap_or(cookie);
                talk.cookies = head.all("set-cookie").map(pair).collect::<Vec<_>>().join("; ");
                Ok(Step::Join(path))
            }
            (Phase::Upgrading, Dialect::WebSocket, 101) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Upgrading, Dialect::SocketIo, 101) => Ok(Step::Phase(Phase::Greeting, length)),
            (Phase::Upgrading | Phase::Resuming, Dialect::NumberedLine, 101)
                if head.get("sec-websocket-protocol") != Some(NUMBERED) =>
            {
                Err(format!("the host does not speak {NUMBERED}"))
            }
            (Phase::Resuming, _, 101) => Ok(Step::Phase(Phase::Open, length)),
            (Phase::Upgrading, Dialect::Line | Dialect::NumberedLine, 101) => {
                let hello = format!(
                    r#"{{".wq":{{"type":"message","eventID":"{HELLO}","numPorts":1}},"ping":"connect"}}"#
                );
                self.envelope(1, &hello, &mut talk.unsent);
                Ok(Step::Phase(Phase::Greeting, length))
            }
            _ => Err(format!("{} is answered with status {status}", self.path)),
        }
    }

    fn heard<'a>(&self, phase: Phase, bytes: &'a [u8], talk: &mut Talk) -> Result<Step<'a>, String> {
        let Some(frame) = frames::read(bytes)? else { return Ok(Step::Wait) };
        let (payload, length) = (frame.payload, frame.length);
        match frame.opcode {
            frames::PING => {
                frames::write(frames::PONG, payload, &mut talk.unsent);
                return Ok(Step::Ping(length));
            }
            frames::CLOSE => return Err(closed(payload)),
            frames::PONG => return Ok(Step::Skip(length)),
            _ => {}
        }
        match self.dialect {
            Dialect::SocketIo => return Ok(socket_io(payload, length, talk)),
            Dialect::NumberedLine if payload.first().is_some_and(u8::is_ascii_lowercase) => {
                talk.control(payload)?;
                return Ok(Step::Skip(length));
            }
            Dialect::NumberedLine => talk.count(payload)?,
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

impl Talk {
    /// A frame without a number. The welcome names the token of the next connection, and its arrival is confirmed.
    fn control(&mut self, payload: &[u8]) -> Result<(), String> {
        let Some(welcome) = payload.strip_prefix(b"w") else { return Ok(()) };
        let welcome: Value =
            serde_json::from_slice(welcome).map_err(|error| format!("a welcome: {error}"))?;
        match welcome["token"].as_str() {
            Some(token) => self.token = token.to_owned(),
            None => return Err("a welcome without a token".to_owned()),
        }
        self.confirm();
        Ok(())
    }

    /// A frame with a number. The first is confirmed at once, so that an idle line is quits, then one in so many.
    fn count(&mut self, payload: &[u8]) -> Result<(), String> {
        let digits = payload.iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits.fold(0, |sum: u64, digit| sum.saturating_mul(10) + u64::from(digit - b'0'));
        if number != self.newest + 1 {
            return Err(format!("frame {number} came after frame {}", self.newest));
        }
        self.newest = number;
        if number == 1 || number.is_multiple_of(CONFIRMED) {
            self.confirm();
        }
        Ok(())
    }

    fn confirm(&mut self) {
        frames::write(TEXT, format!("a{}", self.newest).as_bytes(), &mut self.unsent);
    }
}

fn socket_io<'a>(payload: &'a [u8], length: usize, talk: &mut Talk) -> Step<'a> {
    match payload {
        [b'4', b'2', ..] => return Step::Message(payload, length),
        [b'4', b'0', ..] => return Step::Phase(Phase::Open, length),
        [b'0', ..] => frames::write(TEXT, b"40", &mut talk.unsent),
        [b'2', ..] => frames::write(TEXT, b"3", &mut talk.unsent),
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

/// One line of a stream of events; the lines of chunked coding tell as little as empty ones.
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

    fn step<'a>(way: &Way, phase: Phase, bytes: &'a [u8]) -> (Step<'a>, Vec<u8>) {
        let mut talk = Talk::default();
        (way.step(phase, bytes, &mut talk).expect("nothing is wrong"), talk.unsent)
    }

    #[test]
    fn step_answer_with_a_line_joins_it_with_its_cookies() {
        let way = Way::new(Dialect::Line, "/echo", "message");
        let answer = b"HTTP/1.1 202 Accepted\r\nset-cookie: s=1; Path=/\r\n\
                       x-live-session: socket:///.liveline/ab?v=2\r\n\r\n";
        let mut talk = Talk::default();
        let joins = way.step(Phase::Asking, answer, &mut talk);
        assert_eq!(joins, Ok(Step::Join("/.liveline/ab?v=2".to_owned())));
        way.join("/.liveline/ab?v=2", &mut talk);
        assert!(contains(&talk.unsent, b"\r\ncookie: s=1\r\n"));
    }

    #[test]
    fn step_line_opens_with_the_reply_to_its_ping() {
        let way = Way::new(Dialect::Line, "/echo", "message");
        let (done, answers) = step(&way, Phase::Upgrading, b"HTTP/1.1 101 Switching\r\n\r\n");
        assert!(matches!(done, Step::Phase(Phase::Greeting, _)));
        assert!(contains(&answers, br#""ping":"connect""#));
        let reply = br#"{"message":{"isOpen":true},".wq":{"type":"E:0:message"}}"#;
        let frame = [&[0x81, reply.len() as u8], &reply[..]].concat();
        assert_eq!(step(&way, Phase::Greeting, &frame).0, Step::Phase(Phase::Open, frame.len()));
    }

    #[test]
    fn step_numbered_line_confirms_and_resumes_after_the_newest() {
        let way = Way::new(Dialect::NumberedLine, "/echo", "message");
        let frame = |text: &str| [&[0x81, text.len() as u8], text.as_bytes()].concat();
        let mut talk = Talk::default();
        for text in [r#"w{"token":"ab"}"#, "1 {}", "2 {}", "a7"] {
            way.step(Phase::Open, &frame(text), &mut talk).expect("a good frame");
        }
        let mut confirmed = Vec::new();
        frames::write(TEXT, b"a0", &mut confirmed);
        frames::write(TEXT, b"a1", &mut confirmed);
        assert_eq!(talk.unsent, confirmed);
        assert!(way.step(Phase::Open, &frame("4 {}"), &mut talk).is_err());
        assert!(way.step(Phase::Open, &frame("{}"), &mut talk).is_err());
        assert_eq!(way.resume(&mut talk), Phase::Resuming);
        assert!(talk.unsent.starts_with(b"GET /.liveline/ab?v=2&after=2 "));
    }

    #[test]
    fn step_host_without_the_subprotocol_is_an_error() {
        let way = Way::new(Dialect::NumberedLine, "/echo", "message");
        let answer = b"HTTP/1.1 101 Switching\r\n\r\n";
        assert!(way.step(Phase::Upgrading, answer, &mut Talk::default()).is_err());
    }

    #[test]
    fn step_ping_is_answered_and_told_to_nobody() {
        let way = Way::new(Dialect::WebSocket, "/", "message");
        let (done, answers) = step(&way, Phase::Open, &[0x89, 1, b'x']);
        assert_eq!((done, &answers[..]), (Step::Ping(3), &[0x8a, 0x81, 0, 0, 0, 0, b'x'][..]));
    }

    #[test]
    fn step_close_is_an_end_with_its_code() {
        let way = Way::new(Dialect::WebSocket, "/", "message");
        let end = way.step(Phase::Open, &[0x88, 2, 0x03, 0xf4], &mut Talk::default());
        assert_eq!(end, Err("closed with 1012 ".to_owned()));
    }

    #[test]
    fn step_event_reads_data_and_skips_the_rest() {
        let way = Way::new(Dialect::Events, "/", "message");
        assert_eq!(step(&way, Phase::Open, b"data: 1\n\n").0, Step::Message(b"1", 8));
        assert_eq!(step(&way, Phase::Open, b"1f\r\ndata").0, Step::Skip(4));
        assert_eq!(step(&way, Phase::Open, b"data: 1").0, Step::Wait);
    }

    #[test]
    fn step_answer_waits_for_its_body() {
        let way = Way::new(Dialect::Http, "/", "message");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(step(&way, Phase::Open, answer).0, Step::Message(b"ok", answer.len()));
        assert_eq!(step(&way, Phase::Open, &answer[..answer.len() - 1]).0, Step::Wait);
    }
}
