//! Conversations over lines, as documents show them: `>` goes to the host, `<` comes from it.
//!
//! | line | meaning |
//! |---|---|
//! | `> GET /path [BODY]` | a request, of a client that can join lines; a body is JSON |
//! | `< 200 [BODY]` | the status and the body of the answer |
//! | `> TYPE [JSON]` | a message; the client has joined the line by itself |
//! | `> ask TYPE [JSON]` | a message that asks for a reply |
//! | `> reply JSON` | the answer to the last message that asked for one |
//! | `> navigate /path` | the user goes there |
//! | `> leave` | the client closes the line |
//! | `> {...}` | a frame as it is; the client sends no connect ping of its own |
//! | `> join PROTOCOL` | the client joins the line by this subprotocol; from now on frames are shown as they are |
//! | `> lose` | it loses its connection |
//! | `> resume after NUMBER` | it connects again, with the token of the last welcome |
//! | `< TYPE [JSON]` | a frame, `reply` where it answers the client; members not shown do not matter |
//! | `< {...}` | a frame as it is; likewise |
//! | `< close CODE` | the host closes the line |
//!
//! A word before the arrow names the client, where there are several.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Answer, Event, Frame, Host, Line, PROTOCOL};

/// The event id of the client's requests for replies.
const ASKED: &str = "asked-1";

/// Plays a conversation.
#[track_caller]
pub fn play(host: &Host, script: &str, place: &str) {
    let mut clients: BTreeMap<&str, Client> = BTreeMap::new();
    for (line, number) in script.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let place = &format!("{place}+{number}: `{line}`");
        let at = line.find(['>', '<']).unwrap_or_else(|| panic!("{place}: neither `>` nor `<`"));
        let client = clients.entry(line[..at].trim()).or_default();
        let (what, payload) = split(line[at + 1..].trim());
        if line[at..].starts_with('>') {
            client.does(host, what, payload, place);
        } else {
            client.sees(host, what, payload, place);
        }
    }
}

/// One participant, from its request on.
#[derive(Default)]
struct Client {
    answer: Option<Answer>,
    line: Option<Line>,
    /// The last frame that asked for a reply.
    question: Option<Frame>,
    /// The client has joined by a subprotocol; the address of its next connection.
    next: Option<String>,
}

impl Client {
    #[track_caller]
    fn does(&mut self, host: &Host, what: &str, payload: &str, place: &str) {
        if what == "join" || what == "resume" {
            self.line = Some(self.connect(host, payload, place));
        } else if what == "lose" {
            self.line = None;
        } else if self.next.is_some() {
            self.bare_line(host).send_text(format!("{what} {payload}").trim());
        } else if what.starts_with('{') {
            self.bare_line(host).send_text(what);
        } else if what.chars().all(|it| it.is_ascii_uppercase()) {
            let (path, body) = split(payload);
            let request = host.request(what, path);
            let request = if body.is_empty() { request } else { request.json(&value(body, place)) };
            self.answer = Some(request.send());
        } else if what == "leave" {
            self.line(host);
            self.line.take().expect("just joined").close();
        } else if what == "navigate" {
            self.line(host).navigate(payload);
        } else if what == "reply" {
            let question = self.question.take().unwrap_or_else(|| panic!("{place}: nobody asked"));
            self.line(host).reply(&question, value(payload, place));
        } else if what == "ask" {
            let (kind, payload) = split(payload);
            let meta = json!({ "type": kind, "eventID": ASKED, "numPorts": 1 });
            let frame = json!({ "message": value(payload, place), ".wq": meta });
            self.line(host).send_text(&frame.to_string());
        } else {
            self.line(host).send(what, value(payload, place));
        }
    }

    #[track_caller]
    fn sees(&mut self, host: &Host, what: &str, payload: &str, place: &str) {
        if self.next.is_some() && what != "close" {
            self.sees_numbered(host, what, payload, place);
        } else if what.starts_with('{') {
            let told = self.bare_line(host).receive();
            let told = told.unwrap_or_else(|code| panic!("{place}: it closed with {code}"));
            assert!(holds(&told, &value(what, place)), "{place} came as\n{told}");
        } else if let Ok(status) = what.parse::<u16>() {
            let answer = self.answer.as_ref().unwrap_or_else(|| panic!("{place}: nothing was asked"));
            assert_eq!((answer.status, answer.text()), (status, payload), "{place}");
        } else if what == "close" {
            assert_eq!(self.line(host).closed().to_string(), payload, "{place}");
        } else {
            self.sees_frame(host, what, payload, place);
        }
    }

    /// A frame of a subprotocol: a letter or a number, and JSON.
    #[track_caller]
    fn sees_numbered(&mut self, host: &Host, what: &str, payload: &str, place: &str) {
        let told = self.bare_line(host).receive_text();
        let told = told.unwrap_or_else(|code| panic!("{place}: it closed with {code}"));
        let (mark, json) = told.split_at(told.find('{').unwrap_or(told.len()));
        // The welcome has no space before its JSON.
        let shown = format!("{what} {payload}");
        let (shown_mark, shown) = shown.trim().split_at(shown.find('{').unwrap_or(shown.trim().len()));
        assert_eq!(mark, shown_mark, "{place} came as\n{told}");
        if shown.is_empty() {
            return;
        }
        let envelope = value(json, place);
        assert!(holds(&envelope, &value(shown, place)), "{place} came as\n{told}");
        if let Some(token) = envelope["token"].as_str() {
            self.next = Some(format!("/.liveline/{token}?v=2"));
        }
    }

    /// Connects by the subprotocol, which `join` names, or again `after` a number.
    #[track_caller]
    fn connect(&mut self, host: &Host, payload: &str, place: &str) -> Line {
        let (protocol, path) = match (&self.next, payload.strip_prefix("after ")) {
            (Some(next), Some(number)) => (PROTOCOL, format!("{next}&after={number}")),
            (None, None) => (payload, self.answer.as_ref().expect("a request comes first").line_path()),
            _ => panic!("{place}: first `join`, then `resume`"),
        };
        self.next.get_or_insert_with(|| path.clone());
        let joined = host.dial(&path).header("sec-websocket-protocol", protocol).connect();
        joined.unwrap_or_else(|status| panic!("{place}: it was refused with {status}"))
    }

    #[track_caller]
    fn sees_frame(&mut self, host: &Host, what: &str, payload: &str, place: &str) {
        let line = self.line(host);
        // It may have come before what was shown then.
        if what == "response.done" && line.is_done() {
            return;
        }
        let mut next = || match line.next_event() {
            Event::Frame(frame) => frame,
            Event::Closed(code) => panic!("{place}: it closed with {code}; {}", line.transcript()),
        };
        let mut frame = next();
        let is_done = frame.kind == "response.done";
        if is_done && what != "response.done" {
            frame = next();
        }
        if is_done {
            line.told_done();
        }
        let kind = if what == "reply" { format!("{ASKED}:0:message") } else { what.to_owned() };
        assert_eq!(frame.kind, kind, "{place}: {}", line.transcript());
        let told = &frame.message;
        assert!(payload.is_empty() || holds(told, &value(payload, place)), "{place} came as\n{told}");
        if frame.ports > 0 {
            self.question = Some(frame);
        }
    }

    /// The line, joined.
    #[track_caller]
    fn line(&mut self, host: &Host) -> &mut Line {
        let answer = &self.answer;
        self.line.get_or_insert_with(|| host.join(answer.as_ref().expect("a request comes first")))
    }

    /// The line, on which nothing has been sent.
    #[track_caller]
    fn bare_line(&mut self, host: &Host) -> &mut Line {
        let answer = &self.answer;
        self.line.get_or_insert_with(|| {
            let path = answer.as_ref().expect("a request comes first").line_path();
            host.dial(&path).connect().expect("the address of a line")
        })
    }
}

/// The first word and the rest; a frame as it is counts as one word.
fn split(text: &str) -> (&str, &str) {
    if text.starts_with('{') {
        return (text, "");
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim())
}

#[track_caller]
fn value(json: &str, place: &str) -> Value {
    if json.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{place}: {json} is no JSON: {error}"))
}

/// Whether a value is as shown; members of objects may be left out.
fn holds(told: &Value, shown: &Value) -> bool {
    match (told, shown) {
        (Value::Object(told), Value::Object(shown)) => {
            shown.iter().all(|(name, shown)| told.get(name).is_some_and(|told| holds(told, shown)))
        }
        (Value::Array(told), Value::Array(shown)) => {
            told.len() == shown.len() && told.iter().zip(shown).all(|(told, shown)| holds(told, shown))
        }
        _ => told == shown,
    }
}
