//! The hub for pages of LARC: over plain sockets and event streams here, and in a browser in `tests/browser/larc.mjs`.

mod documents;
mod events;
mod figures;
mod frames;
mod gate;
mod limits;
mod presence;
mod restarts;
mod resuming;
mod statics;

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::{Host, Site};

/// A site whose only page uses the classes of LARC's book.
fn site() -> Site {
    Site::new().file("public/index.html", "<script type=module>wsClient.connect()</script>")
}

/// A page: a WebSocket at the hub.
struct Page(WebSocket<TcpStream>);

impl Page {
    /// A page at `/ws` with these parameters.
    #[track_caller]
    fn open(host: &Host, query: &str) -> Page {
        Page::dial(host, query, &[]).unwrap_or_else(|status| panic!("the hub answered {status}"))
    }

    fn dial(host: &Host, query: &str, headers: &[(&str, &str)]) -> Result<Page, u16> {
        let dial = host.dial(&format!("/ws{query}"));
        let dial = headers.iter().fold(dial, |dial, (name, value)| dial.header(name, value));
        dial.upgrade().map(|(socket, _)| Page(socket))
    }

    /// Sends a frame as `wsClient.send()` does.
    #[track_caller]
    fn send(&mut self, kind: &str, payload: &Value) {
        self.text(&json!({ "type": kind, "payload": payload, "timestamp": 1 }).to_string());
    }

    #[track_caller]
    fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("the hub reads");
    }

    /// The next frame, or the code with which the hub has closed the socket.
    #[track_caller]
    fn receive(&mut self) -> Result<Value, u16> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).expect("frames are JSON")),
                Ok(Message::Close(close)) => return Err(close.map_or(1005, |close| close.code.into())),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) => panic!("no frame came: {error}"),
                Err(_) => return Err(1006),
            }
        }
    }

    /// The next frame that is not about presence.
    #[track_caller]
    fn next(&mut self) -> Value {
        loop {
            let frame = self.receive().expect("a frame");
            let kind = frame["type"].as_str().or(frame["topic"].as_str()).expect("a frame has a type");
            if !kind.starts_with("presence-") {
                return frame;
            }
        }
    }

    /// The payload of the next frame of this type, whatever comes before.
    #[track_caller]
    fn of(&mut self, kind: &str) -> Value {
        loop {
            let mut frame = self.receive().unwrap_or_else(|code| panic!("closed with {code} before {kind}"));
            if frame["type"] == kind {
                return frame["payload"].take();
            }
        }
    }

    /// Waits until the hub has done everything that this page has asked for. Returns what came before the pong.
    #[track_caller]
    fn settled(&mut self) -> Vec<Value> {
        self.send("ping", &json!({}));
        let mut before = Vec::new();
        loop {
            let frame = self.receive().expect("a pong");
            if frame["type"] == "pong" {
                return before;
            }
            before.push(frame);
        }
    }

    fn close(mut self) {
        let _ = self.0.close(None);
        while self.0.read().is_ok() {}
    }
}

/// Publishes a message as `<pan-forwarder>` does.
#[track_caller]
fn post(host: &Host, body: &Value) -> Value {
    let answer = host.request("POST", "/sse").body(body.to_string()).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}
