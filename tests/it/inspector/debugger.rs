//! A debugger: a client of the inspector's protocol.

use std::collections::{HashMap, VecDeque};
use std::net::TcpStream;

use serde_json::{Value, json};
use sourcemap::SourceMap;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::Dial;

/// See the module. Events that come before they are waited for are kept.
pub struct Debugger {
    socket: WebSocket<TcpStream>,
    sent: u64,
    events: VecDeque<Value>,
    /// The URLs of scripts, by their ids.
    urls: HashMap<String, String>,
}

/// A `Debugger.paused` event.
pub struct Paused {
    pub event: Value,
    /// The script of the first frame; empty for the host's own, which debuggers are not shown.
    pub url: String,
}

/// A script of a handler, with its source map.
pub struct Script {
    pub url: String,
    pub map: SourceMap,
}

impl Debugger {
    /// Attaches to a target of the list.
    #[track_caller]
    pub fn attach(target: &Value) -> Debugger {
        let url = target["webSocketDebuggerUrl"].as_str().expect("a URL");
        let (address, path) = url.strip_prefix("ws://").and_then(|url| url.split_once('/')).expect("a path");
        let dial = Dial::new(address.parse().expect("an address"), &format!("/{path}"));
        let (socket, _) = dial.upgrade().expect("a debugger may attach");
        Debugger { socket, sent: 0, events: VecDeque::new(), urls: HashMap::new() }
    }

    /// Attaches, and can pause code.
    #[track_caller]
    pub fn enabled(target: &Value) -> Debugger {
        let mut debugger = Debugger::attach(target);
        debugger.call("Runtime.enable", json!({}));
        debugger.call("Debugger.enable", json!({}));
        debugger
    }

    /// Sends a command and waits for its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.post(method, params);
        loop {
            let message =
                self.receive().unwrap_or_else(|end| panic!("{end} instead of a result of {method}"));
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }

    /// Sends a command, and returns its number.
    #[track_caller]
    pub fn post(&mut self, method: &str, params: Value) -> u64 {
        self.sent += 1;
        let command = json!({ "id": self.sent, "method": method, "params": params });
        self.socket.send(Message::text(command.to_string())).expect("the host reads");
        self.sent
    }

    /// The next event.
    #[track_caller]
    pub fn any_event(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.receive().unwrap_or_else(|end| panic!("{end} instead of an event")),
        }
    }

    /// The parameters of the next event of a kind. Events before it are passed over.
    #[track_caller]
    pub fn event(&mut self, method: &str) -> Value {
        loop {
            let event = self.any_event();
            if event["method"] == method {
                return event["params"].clone();
            }
        }
    }

    /// The next pause.
    #[track_caller]
    pub fn paused(&mut self) -> Paused {
        let event = self.event("Debugger.paused");
        let script = event["callFrames"][0]["location"]["scriptId"].as_str().expect("an id");
        let url = self.urls.get(script).cloned().unwrap_or_default();
        Paused { event, url }
    }

    /// Evaluates an expression in the first frame of a pause, and returns its value.
    #[track_caller]
    pub fn evaluate(&mut self, paused: &Paused, expression: &str) -> Value {
        let frame = &paused.event["callFrames"][0]["callFrameId"];
        let params = json!({ "callFrameId": frame, "expression": expression, "returnByValue": true });
        self.call("Debugger.evaluateOnCallFrame", params)["result"]["value"].clone()
    }

    /// Lets paused code run.
    #[track_caller]
    pub fn resume(&mut self) {
        self.call("Debugger.resume", json!({}));
        self.event("Debugger.resumed");
    }

    /// The next script whose URL ends like this, and which has a source map.
    #[track_caller]
    pub fn script(&mut self, end: &str) -> Script {
        loop {
            let script = self.event("Debugger.scriptParsed");
            let (url, map) = (script["url"].as_str(), script["sourceMapURL"].as_str());
            let (Some(url), Some(map)) = (url.filter(|url| url.ends_with(end)), map) else { continue };
            let map = sourcemap::decode_data_url(map).expect("a source map");
            let sourcemap::DecodedMap::Regular(map) = map else { panic!("a map of sections") };
            return Script { url: url.to_owned(), map };
        }
    }

    /// Sets a breakpoint in a line of the source, from 1, as a debugger does that knows the source map.
    #[track_caller]
    pub fn break_at(&mut self, script: &Script, line: u32) {
        let token = script.map.tokens().filter(|token| token.get_src_line() == line - 1).min();
        let place = token.unwrap_or_else(|| panic!("no code is made of line {line}"));
        let params = json!({
            "url": script.url,
            "lineNumber": place.get_dst_line(),
            "columnNumber": place.get_dst_col(),
        });
        self.call("Debugger.setBreakpointByUrl", params);
    }

    /// Waits until the host has closed the connection, and returns the close code.
    #[track_caller]
    pub fn closed(&mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame.expect("a close code").code.into(),
                Ok(message) => {
                    let text = message.into_text().expect("text");
                    self.events.extend(serde_json::from_str(&text).ok());
                }
                Err(error) => panic!("{error} instead of a close frame"),
            }
        }
    }

    fn receive(&mut self) -> Result<Value, Error> {
        loop {
            if let Message::Text(text) = self.socket.read()? {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                let script = &message["params"];
                if message["method"] == "Debugger.scriptParsed"
                    && let (Some(id), Some(url)) = (script["scriptId"].as_str(), script["url"].as_str())
                {
                    self.urls.insert(id.to_owned(), url.to_owned());
                }
                return Ok(message);
            }
        }
    }
}

impl Paused {
    /// The line of the source, from 1, where the code of a script is paused.
    #[track_caller]
    pub fn line_in(&self, script: &Script) -> u32 {
        assert_eq!(self.url, script.url);
        let location = &self.event["callFrames"][0]["location"];
        let number = |name: &str| location[name].as_u64().expect("a number") as u32;
        let token = script.map.lookup_token(number("lineNumber"), number("columnNumber"));
        token.expect("code of the source").get_src_line() + 1
    }

    /// The line of a script without a source map, from 1, where its code is paused.
    #[track_caller]
    pub fn line(&self) -> u64 {
        self.event["callFrames"][0]["location"]["lineNumber"].as_u64().expect("a number") + 1
    }
}
