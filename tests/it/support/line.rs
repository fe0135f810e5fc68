//! The client's end of a live line: the envelopes of the gen-2 wire, over a WebSocket or without one.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, Message};

use super::http::Request;
use super::{EventStream, PATIENCE};

/// The event id of the connect ping this client sends.
pub(super) const HELLO: &str = "hello-1";

/// A WebSocket to be opened.
pub struct Dial {
    address: SocketAddr,
    from: Option<IpAddr>,
    path: String,
    headers: Vec<(String, String)>,
}

/// An open line.
pub struct Line {
    carrier: Carrier,
    /// Everything received so far, for the message of a failed test.
    seen: Vec<String>,
    sent: u32,
    /// The host has sent `response.done`: no state follows.
    is_done: bool,
}

/// What a line goes over.
enum Carrier {
    Socket(WebSocket<TcpStream>),
    /// Events downward, requests upward.
    Events {
        stream: EventStream,
        up: Dial,
    },
}

/// What the host sent: one envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The event type, such as `response.replace`.
    pub kind: String,
    /// The event id: the name of its reply ports and of its deltas.
    pub id: String,
    /// How many reply ports it carries.
    pub ports: u64,
    /// Whether deltas of this message may follow.
    pub live: bool,
    pub message: Value,
}

/// The next thing that happens on a line.
#[derive(Debug)]
pub enum Event {
    Frame(Frame),
    Closed(u16),
}

impl Dial {
    pub fn new(address: SocketAddr, path: &str) -> Self {
        Self { address, from: None, path: path.into(), headers: Vec::new() }
    }

    /// From this address of the machine, such as 127.0.0.2.
    pub fn from(mut self, address: &str) -> Self {
        self.from = Some(address.parse().expect("an address"));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Opens it as a line, or returns the status it was refused with.
    #[track_caller]
    pub fn connect(self) -> Result<Line, u16> {
        self.upgrade().map(|(socket, _)| Line::over(Carrier::Socket(socket)))
    }

    /// Opens it, or returns the status it was refused with.
    #[track_caller]
    pub fn upgrade(self) -> Result<(WebSocket<TcpStream>, Response), u16> {
        let url = format!("ws://{}{}", self.address, self.path);
        let mut request = url.into_client_request().expect("a WebSocket request");
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).expect("a header name");
            request
                .headers_mut()
                .insert(name, HeaderValue::try_from(value.as_str()).expect("a header value"));
        }
        let stream = super::http::connect(self.address, self.from).expect("the host accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let limits = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match tungstenite::client::client_with_config(request, stream, Some(limits)) {
            Ok(opened) => Ok(opened),
            Err(HandshakeError::Failure(Error::Http(answer))) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Joins without a socket, or returns the status it was refused with.
    #[track_caller]
    pub fn listen(self) -> Result<Line, u16> {
        let request = self.request("GET").header("accept", "text/event-stream");
        let stream = request.stream();
        if stream.status != 200 {
            return Err(stream.status);
        }
        Ok(Line::over(Carrier::Events { stream, up: self }))
    }

    /// A request to the line's address.
    pub fn request(&self, method: &str) -> Request {
        let request = Request::new(self.address, method, &self.path);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

impl Line {
    fn over(carrier: Carrier) -> Self {
        Self { carrier, seen: Vec::new(), sent: 0, is_done: false }
    }

    /// Sends the connect ping and waits for its answer: from then on frames are sent.
    #[track_caller]
    pub fn handshake(&mut self) {
        self.hello();
        let answer = loop {
            let envelope = self.receive().unwrap_or_else(|code| {
                panic!("closed with {code} instead of answering the connect ping: {}", self.transcript())
            });
            // The host may send a ping of its own first.
            if let Some(frame) = frame(&envelope) {
                break frame;
            }
        };
        assert_eq!(answer.kind, format!("{HELLO}:0:message"), "{}", self.transcript());
        assert_eq!(answer.message, json!({ "isOpen": true }), "{}", self.transcript());
    }

    /// Sends the connect ping alone.
    #[track_caller]
    pub fn hello(&mut self) {
        let meta = json!({ "type": "message", "eventID": HELLO, "numPorts": 1 });
        self.send_text(&json!({ ".wq": meta, "ping": "connect", "id": null }).to_string());
    }

    /// The next frame of the application.
    #[track_caller]
    pub fn next_frame(&mut self) -> Frame {
        match self.next_event() {
            Event::Frame(frame) => frame,
            Event::Closed(code) => panic!("closed with {code} instead of a frame: {}", self.transcript()),
        }
    }

    /// The next frame of the application that is no `response.done`.
    #[track_caller]
    pub fn next_message(&mut self) -> Frame {
        let frame = self.next_frame();
        if frame.kind != "response.done" {
            return frame;
        }
        self.told_done();
        self.next_frame()
    }

    /// The next frame, which must be of this type; returns its payload. Where it is no state, the word that no state
    /// follows may stand before it.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        let mut frame = self.next_frame();
        if frame.kind == "response.done" && !kind.starts_with("response.") {
            self.told_done();
            frame = self.next_frame();
        }
        assert_eq!(frame.kind, kind, "{}", self.transcript());
        if kind == "response.done" {
            self.told_done();
        }
        frame.message
    }

    /// Whether the host has sent `response.done`.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Notes that the host has sent `response.done`.
    #[track_caller]
    pub fn told_done(&mut self) {
        assert!(!self.is_done, "a response is done once: {}", self.transcript());
        self.is_done = true;
    }

    /// The body of the next frame, which must be a `response.replace`.
    #[track_caller]
    pub fn expect_body(&mut self) -> Value {
        self.expect("response.replace")["body"].take()
    }

    /// The code the host closes with, next. The word that no state follows may stand before it.
    #[track_caller]
    pub fn closed(&mut self) -> u16 {
        loop {
            match self.next_event() {
                Event::Closed(code) => return code,
                Event::Frame(frame) if frame.kind == "response.done" => self.told_done(),
                Event::Frame(frame) => panic!("{frame:?} instead of the end: {}", self.transcript()),
            }
        }
    }

    /// Expects the orderly end: `response.done`, if it has not come before, and code 1000.
    #[track_caller]
    pub fn done(&mut self) {
        if !self.is_done {
            assert_eq!(self.expect("response.done"), Value::Null);
        }
        assert_eq!(self.closed(), 1000, "{}", self.transcript());
    }

    /// All frames until the host closes, and the code.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<Frame>, u16) {
        let mut frames = Vec::new();
        loop {
            match self.next_event() {
                Event::Frame(frame) => frames.push(frame),
                Event::Closed(code) => return (frames, code),
            }
        }
    }

    /// The next frame of the application, or the end.
    #[track_caller]
    pub fn next_event(&mut self) -> Event {
        loop {
            let envelope = match self.receive() {
                Ok(envelope) => envelope,
                Err(code) => return Event::Closed(code),
            };
            let Some(frame) = frame(&envelope) else {
                continue;
            };
            // The handshake's own channel also carries the host's goodbye to it.
            if !frame.kind.starts_with(HELLO) {
                return Event::Frame(frame);
            }
        }
    }

    /// Sends a message of a type.
    #[track_caller]
    pub fn send(&mut self, kind: &str, message: Value) {
        self.sent += 1;
        let id = format!("{kind}-{}", self.sent);
        self.send_text(&json!({ "message": message, ".wq": { "type": kind, "eventID": id } }).to_string());
    }

    /// Answers a request of the host on its first reply port.
    #[track_caller]
    pub fn reply(&mut self, request: &Frame, message: Value) {
        assert!(request.ports > 0, "{request:?} has no reply port");
        self.send(&format!("{}:0:message", request.id), message);
    }

    /// Sends that the user goes to another page.
    #[track_caller]
    pub fn navigate(&mut self, path: &str) {
        self.send("navigate", json!({ "pathname": path, "method": "GET" }));
    }

    /// Requests carry this cookie from now on, as those of a browser that an answer gave it to.
    pub fn set_cookie(&mut self, cookie: &str) {
        if let Carrier::Events { up, .. } = &mut self.carrier {
            up.headers.retain(|(name, _)| name != "cookie");
            up.headers.push(("cookie".into(), cookie.into()));
        }
    }

    /// Sends a text as it is.
    #[track_caller]
    pub fn send_text(&mut self, text: &str) {
        match &self.carrier {
            Carrier::Socket(_) => self.send_message(Message::text(text)),
            Carrier::Events { up, .. } => {
                let status = up.request("POST").body(text.to_owned()).send().status;
                // The host may close meanwhile; the next event has the code.
                assert!([204, 400, 404, 413].contains(&status), "{status}: {}", self.transcript());
            }
        }
    }

    /// Sends any WebSocket message.
    #[track_caller]
    pub fn send_message(&mut self, message: Message) {
        let Carrier::Socket(socket) = &mut self.carrier else { panic!("{message:?} needs a socket") };
        match socket.send(message) {
            Ok(()) => {}
            // The host may close meanwhile; the next read has the code.
            Err(Error::Io(_)) => self.seen.push("(a write failed)".into()),
            Err(error) => panic!("{error}: {}", self.transcript()),
        }
    }

    /// Closes from this side.
    pub fn close(self) {
        self.close_with(1000);
    }

    /// The same with any code.
    pub fn close_with(mut self, code: u16) {
        match &mut self.carrier {
            Carrier::Socket(socket) => {
                let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
                // What follows does not matter: the socket is dropped.
                let _ = socket.close(Some(frame));
                let _ = socket.flush();
            }
            Carrier::Events { up, .. } => {
                up.path += &format!("&code={code}");
                up.request("DELETE").send();
            }
        }
    }

    /// Waits until the host asks for a sign of life. Frames before that are passed over.
    #[track_caller]
    pub fn pinged(&mut self) {
        let Carrier::Socket(socket) = &mut self.carrier else { panic!("pings need a socket") };
        socket.get_ref().set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        loop {
            match socket.read() {
                Ok(Message::Ping(_)) => return,
                Ok(message) => self.seen.push(message.to_string()),
                Err(error) => panic!("{error} instead of a ping: received so far:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// What comes on the connection itself until it ends, after a close frame was received and answered.
    #[track_caller]
    pub fn bytes_to_end(&mut self) -> Vec<u8> {
        let Carrier::Socket(socket) = &mut self.carrier else { panic!("bytes need a socket") };
        // Nothing is left to be flushed where the answer was sent.
        let _ = socket.flush();
        let mut bytes = Vec::new();
        socket.get_mut().read_to_end(&mut bytes).expect("an end");
        bytes
    }

    /// What was received so far.
    pub fn transcript(&self) -> String {
        format!("received so far:\n{}", self.seen.join("\n"))
    }

    /// The next envelope, or the code the line was closed with (1006: it broke).
    #[track_caller]
    pub fn receive(&mut self) -> Result<Value, u16> {
        if let Carrier::Events { stream, .. } = &mut self.carrier {
            stream.patience(PATIENCE);
            return told(stream.next_event(), &mut self.seen);
        }
        let text = self.receive_text()?;
        let envelope: Value = serde_json::from_str(&text).expect("a frame is JSON");
        assert!(envelope.get(".wq").is_some(), "not an envelope: {text}");
        Ok(envelope)
    }

    /// The next text on a socket as it is, or the code it was closed with (1006: it broke).
    #[track_caller]
    pub fn receive_text(&mut self) -> Result<String, u16> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing came; {}", self.transcript());
            let Carrier::Socket(socket) = &mut self.carrier else {
                panic!("frames as they are need a socket")
            };
            socket.get_ref().set_read_timeout(Some(left)).expect("a timeout can be set");
            match socket.read() {
                Ok(Message::Text(text)) => {
                    self.seen.push(text.to_string());
                    return Ok(text.to_string());
                }
                Ok(Message::Close(close)) => {
                    let code = close.map_or(1005, |close| u16::from(close.code));
                    self.seen.push(format!("close {code}"));
                    return Err(code);
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Ok(Message::Binary(_)) => panic!("a binary frame; {}", self.transcript()),
                Err(Error::Io(error)) if is_timeout(&error) => {
                    panic!("nothing came; {}", self.transcript())
                }
                Err(error) => {
                    self.seen.push(format!("broken: {error}"));
                    return Err(1006);
                }
            }
        }
    }
}

/// The content of an event: an envelope, or how the line closed.
fn told(event: Option<super::events::ServerEvent>, seen: &mut Vec<String>) -> Result<Value, u16> {
    let Some(event) = event else {
        seen.push("broken: the stream ended".into());
        return Err(1006);
    };
    let data: Value = serde_json::from_str(&event.data).expect("an event's data is JSON");
    if event.name == "close" {
        seen.push(format!("close {}", data["code"]));
        return Err(data["code"].as_u64().and_then(|code| u16::try_from(code).ok()).expect("a code"));
    }
    assert!(data.get(".wq").is_some(), "not an envelope: {data}");
    seen.push(event.data);
    Ok(data)
}

/// Reads an envelope; lifecycle pings are not frames.
pub(super) fn frame(envelope: &Value) -> Option<Frame> {
    if envelope.get("ping").is_some() {
        return None;
    }
    let meta = &envelope[".wq"];
    Some(Frame {
        kind: meta["type"].as_str().expect("an envelope has a type").into(),
        id: meta["eventID"].as_str().expect("an envelope has an id").into(),
        ports: meta["numPorts"].as_u64().unwrap_or(0),
        live: meta["live"].as_bool().unwrap_or(false),
        message: envelope.get("message").cloned().unwrap_or(Value::Null),
    })
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
