//! A client's end of a line that outlives its connections: `liveline.v1`, as docs/wire.md has it.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{self, Error, Message};

use super::PATIENCE;
use super::dice::Dice;
use super::line::{Event, HELLO, frame};

/// The subprotocol.
pub const PROTOCOL: &str = "liveline.v1";

/// The longest pause before the first retry; it doubles. Shorter than a browser's, for tests.
const FIRST_RETRY: Duration = Duration::from_millis(4);
const MAX_RETRY: Duration = Duration::from_millis(500);

/// A line with the latest of its connections.
pub struct ResumingLine {
    address: SocketAddr,
    token: String,
    /// How long a connection may be silent; the host has to ping more often.
    silence: Duration,
    dice: Dice,
    /// The last envelope of the host that was taken.
    received: u64,
    confirmed: u64,
    sent: u64,
    /// Own envelopes that the host may not have, with their numbers.
    unconfirmed: VecDeque<(u64, String)>,
    /// The host waits so long.
    window: Duration,
    socket: Option<WebSocket<TcpStream>>,
    /// The frames that have come on this connection.
    welcome: Option<Welcome>,
    /// How often the line was resumed, and how often the welcome said that frames are lost.
    pub resumed: u64,
    pub lost: u64,
}

/// The first frame of every connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Welcome {
    pub token: String,
    pub window: u64,
    pub ping: Option<u64>,
    pub received: u64,
    pub lost: bool,
}

/// Why there is no connection.
enum Refusal {
    /// The host knows no such line.
    Unknown(u16),
    /// The network's fault.
    Lost,
}

impl ResumingLine {
    /// Joins the line at a path, and sends the connect ping. The network must let the first connection through.
    #[track_caller]
    pub fn join(address: SocketAddr, path: &str, silence: Duration) -> Self {
        let token = path.trim_start_matches("/.liveline/").split('?').next().unwrap_or_default().to_owned();
        let mut line = Self {
            address,
            token,
            silence,
            dice: Dice::new(1),
            received: 0,
            confirmed: 0,
            sent: 0,
            unconfirmed: VecDeque::new(),
            window: PATIENCE,
            socket: None,
            welcome: None,
            resumed: 0,
            lost: 0,
        };
        match line.connect(path) {
            Ok(socket) => line.socket = Some(socket),
            Err(Refusal::Unknown(status)) => panic!("{path} was refused with {status}"),
            Err(Refusal::Lost) => panic!("{path} could not be joined"),
        }
        let meta = json!({ "type": "message", "eventID": HELLO, "numPorts": 1 });
        line.send_text(json!({ ".wq": meta, "ping": "connect" }).to_string());
        line
    }

    /// Sends a message, now or on the next connection.
    pub fn send(&mut self, kind: &str, message: &Value) {
        let id = format!("{kind}-{}", self.sent);
        self.send_text(json!({ "message": message, ".wq": { "type": kind, "eventID": id } }).to_string());
    }

    fn send_text(&mut self, text: String) {
        self.sent += 1;
        self.unconfirmed.push_back((self.sent, text));
        if self.welcome.is_some() {
            let (number, text) = self.unconfirmed.back().expect("just pushed");
            self.write(format!("{number} {text}"));
        }
    }

    /// The next frame of the application, on whatever connection, or how the line ended: 1006 where the host knows it
    /// no more.
    #[track_caller]
    pub fn next_event(&mut self) -> Event {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "nothing came; {}", self.state());
            if self.socket.is_none() && !self.resume() {
                return Event::Closed(1006);
            }
            let text = match self.read() {
                Some(Ok(text)) => text,
                Some(Err(code)) => return Event::Closed(code),
                None => continue,
            };
            let Some(envelope) = self.heard(&text) else { continue };
            let envelope: Value = serde_json::from_str(&envelope).expect("an envelope is JSON");
            if let Some(frame) = frame(&envelope).filter(|frame| !frame.kind.starts_with(HELLO)) {
                return Event::Frame(frame);
            }
        }
    }

    fn drop_connection(&mut self) {
        self.socket = None;
        self.welcome = None;
    }

    fn state(&self) -> String {
        format!("received {}, sent {}, unconfirmed {}", self.received, self.sent, self.unconfirmed.len())
    }

    /// One frame. `None`: the connection was lost.
    fn read(&mut self) -> Option<Result<String, u16>> {
        loop {
            match self.socket.as_mut()?.read() {
                Ok(Message::Text(text)) => return Some(Ok(text.to_string())),
                Ok(Message::Close(close)) => return Some(Err(close.map_or(1005, |close| close.code.into()))),
                Ok(Message::Binary(bytes)) => panic!("a binary frame: {bytes:?}"),
                Ok(_) => {}
                // Also when it was silent for too long.
                Err(_) => {
                    self.drop_connection();
                    return None;
                }
            }
        }
    }

    /// Takes a frame in; what it gives is a new envelope.
    #[track_caller]
    fn heard(&mut self, text: &str) -> Option<String> {
        if let Some(welcome) = text.strip_prefix('w') {
            let welcome = serde_json::from_str(welcome).unwrap_or_else(|error| panic!("{text}: {error}"));
            self.welcomed(welcome);
            return None;
        }
        assert!(self.welcome.is_some(), "{text} came before the welcome");
        if let Some(number) = text.strip_prefix('a') {
            self.forget(number.parse().unwrap_or_else(|error| panic!("{text}: {error}")));
            return None;
        }
        let (number, envelope) = text.split_once(' ').unwrap_or_else(|| panic!("{text} has no number"));
        let number: u64 = number.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        if number <= self.received {
            return None;
        }
        let may_jump = self.welcome.as_mut().is_some_and(|welcome| std::mem::take(&mut welcome.lost));
        assert!(may_jump || number == self.received + 1, "{text} came after {}", self.received);
        self.received = number;
        if self.received >= self.confirmed + 32 {
            self.confirm();
        }
        Some(envelope.to_owned())
    }

    fn welcomed(&mut self, welcome: Welcome) {
        self.token.clone_from(&welcome.token);
        self.window = Duration::from_millis(welcome.window);
        self.forget(welcome.received);
        self.lost += u64::from(welcome.lost);
        self.welcome = Some(welcome);
        self.confirm();
        for (number, text) in self.unconfirmed.clone() {
            self.write(format!("{number} {text}"));
        }
    }

    fn confirm(&mut self) {
        self.confirmed = self.received;
        self.write(format!("a{}", self.received));
    }

    fn forget(&mut self, number: u64) {
        assert!(number <= self.sent, "the host has {number}, but {}", self.state());
        self.unconfirmed.retain(|(sent, _)| *sent > number);
    }

    /// What cannot be written is sent again on the next connection.
    fn write(&mut self, text: String) {
        if let Some(socket) = &mut self.socket
            && socket.send(Message::text(text)).is_err()
        {
            self.drop_connection();
        }
    }

    /// Connects again until the host has given up; then `false`.
    fn resume(&mut self) -> bool {
        let until = Instant::now() + self.window;
        let mut most = FIRST_RETRY;
        loop {
            let path = format!("/.liveline/{}?v=2&after={}", self.token, self.received);
            match self.connect(&path) {
                Ok(socket) => {
                    self.socket = Some(socket);
                    self.resumed += 1;
                    return true;
                }
                Err(Refusal::Unknown(_)) => return false,
                Err(Refusal::Lost) if Instant::now() > until => return false,
                Err(Refusal::Lost) => {}
            }
            let most_micros = u64::try_from(most.as_micros()).expect("less than a second");
            thread::sleep(Duration::from_micros(self.dice.below(most_micros)));
            most = (2 * most).min(MAX_RETRY);
        }
    }

    fn connect(&self, path: &str) -> Result<WebSocket<TcpStream>, Refusal> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().expect("a WebSocket request");
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(PROTOCOL));
        let stream = TcpStream::connect(self.address).map_err(|_| Refusal::Lost)?;
        stream.set_nodelay(true).expect("an option of sockets");
        stream.set_read_timeout(Some(self.silence)).expect("a timeout can be set");
        stream.set_write_timeout(Some(self.silence)).expect("a timeout can be set");
        match tungstenite::client::client(request, stream) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                Err(Refusal::Unknown(answer.status().as_u16()))
            }
            Err(_) => Err(Refusal::Lost),
        }
    }
}
