//! Frames as events, for clients that read a stream: server-sent events (WHATWG HTML, 9.2) and lines of JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Frame;
use crate::envelope::Wire;

/// The id of the last event of a stream that must not be requested again. An `EventSource` reconnects after every end,
/// with the last id that it received, unless it is answered with 204.
pub const LAST_EVENT_ID: &str = "liveline-end";

/// After these close codes a client should reconnect.
const ASK_AGAIN: [u16; 6] = [1001, 1006, 1011, 1012, 1013, 4003];

/// How the frames of a line are written to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Server-sent events with the envelopes of a socket as data, for clients of the protocol.
    Envelopes,
    /// Server-sent events named after their frame: `state`, `mutate`, `redirect`, `done`, or a message's type.
    Events,
    /// The events of [`Format::Events`] as lines of JSON: `{"event", "id", "data"}`.
    Lines,
}

impl Format {
    /// The media type of the stream.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Envelopes | Format::Events => "text/event-stream",
            Format::Lines => "application/x-ndjson",
        }
    }

    /// Writes a frame.
    pub fn frame(self, frame: &Frame, out: &mut Vec<u8>) {
        if self == Format::Envelopes {
            return event(None, None, frame.as_str(), out);
        }
        // The host encoded the frame, so it decodes.
        let Ok(Wire { message, meta, .. }) = serde_json::from_str(frame.as_str()) else { return };
        let data = message.map_or("null", RawValue::get);
        match meta.r#type.as_ref() {
            "response.replace" => match serde_json::from_str::<State>(data) {
                Ok(State { status, headers: Headers { location: Some(location) }, .. })
                    if status / 100 == 3 =>
                {
                    let to = serde_json::json!({ "status": status, "location": location }).to_string();
                    self.write("redirect", Some(&meta.event_id), &to, out);
                }
                state => {
                    let body = state.map_or("null", |state| state.body.get());
                    self.write("state", Some(&meta.event_id), body, out);
                }
            },
            "response.done" => self.write("done", None, "null", out),
            kind if kind.ends_with(".mutate") => self.write("mutate", None, data, out),
            kind if let Some((single, changes)) = split(kind, data) => {
                for Change { event_id, message } in changes {
                    self.write(&single, Some(&event_id), message.map_or("null", RawValue::get), out);
                }
            }
            kind => self.write(kind, Some(&meta.event_id), data, out),
        }
    }

    /// Writes the first state, which is not a frame: a plain HTTP answer would have it as its body.
    pub fn state(self, json: &str, out: &mut Vec<u8>) {
        self.write("state", None, json, out);
    }

    /// Writes bytes that clients ignore, so that an idle connection is not taken for dead.
    pub fn ping(self, out: &mut Vec<u8>) {
        match self {
            Format::Envelopes | Format::Events => out.extend_from_slice(b":\n\n"),
            Format::Lines => out.push(b'\n'),
        }
    }

    /// Writes a comment at the beginning, because some proxies hold the head back until the body begins. NDJSON has no
    /// comments, so nothing there.
    pub fn begin(self, out: &mut Vec<u8>) {
        if self != Format::Lines {
            out.extend_from_slice(b":\n");
        }
    }

    /// Writes how the line ended.
    pub fn close(self, code: u16, reason: &str, out: &mut Vec<u8>) {
        let id = (self == Format::Events && !ASK_AGAIN.contains(&code)).then_some(LAST_EVENT_ID);
        self.write("close", id, &serde_json::json!({ "code": code, "reason": reason }).to_string(), out);
    }

    fn write(self, name: &str, id: Option<&str>, data: &str, out: &mut Vec<u8>) {
        match self {
            Format::Envelopes | Format::Events => event(Some(name), id, data, out),
            Format::Lines => {
                let data = one_line(data);
                let Ok(data) = serde_json::from_str::<&RawValue>(&data) else { return };
                // Strings and checked JSON always encode.
                let _ = serde_json::to_writer(&mut *out, &Line { event: name, id, data });
                out.push(b'\n');
            }
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    status: u16,
    #[serde(borrow)]
    headers: Headers<'a>,
}

#[derive(Deserialize)]
struct Headers<'a> {
    #[serde(borrow, default)]
    location: Option<Cow<'a, str>>,
}

/// The payload of a `joins-leaves` frame.
#[derive(Deserialize)]
struct Changes<'a> {
    #[serde(borrow, default)]
    events: Option<Vec<Change<'a>>>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, rename = "eventID")]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

/// Splits a frame that lists members which joined or left into the messages that each would have been alone. Returns
/// their type, too.
fn split<'a>(kind: &str, data: &'a str) -> Option<(String, Vec<Change<'a>>)> {
    let channel = kind.strip_suffix(":joins-leaves")?;
    let Changes { events } = serde_json::from_str(data).ok()?;
    Some((format!("{channel}:message"), events?))
}

fn event(name: Option<&str>, id: Option<&str>, data: &str, out: &mut Vec<u8>) {
    let fields = [("event", name.filter(|name| *name != "message")), ("id", id), ("data", Some(data))];
    for (field, value) in fields {
        let Some(value) = value else { continue };
        out.extend_from_slice(field.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(one_line(value).as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

/// Writes an event whose data keeps its line breaks: each line is a field of its own.
pub(crate) fn text_event(name: Option<&str>, id: Option<&str>, data: &str, out: &mut Vec<u8>) {
    let (first, rest) = match data.find(['\n', '\r']) {
        None => return event(name, id, data, out),
        Some(at) => data.split_at(at),
    };
    event(name, id, first, out);
    // The empty line that ends the event.
    out.pop();
    let mut rest = rest;
    while !rest.is_empty() {
        rest = rest.strip_prefix("\r\n").unwrap_or_else(|| &rest[1..]);
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&rest.as_bytes()[..end]);
        out.push(b'\n');
        rest = &rest[end..];
    }
    out.push(b'\n');
}

/// Replaces line breaks, which would end the field. In JSON they are white space.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    fn frame(kind: &str, payload: &str) -> Frame {
        let payload: &RawValue = serde_json::from_str(payload).unwrap();
        Envelope { kind, event_id: "e-1", ..Default::default() }.encode(Some(payload))
    }

    fn written(format: Format, kind: &str, payload: &str) -> String {
        let mut out = Vec::new();
        format.frame(&frame(kind, payload), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn frame_as_envelope_is_the_frame() {
        let text = written(Format::Envelopes, "x", "1");
        assert_eq!(text, format!("data: {}\n\n", frame("x", "1").as_str()));
    }

    #[test]
    fn frame_state_is_its_body() {
        let payload = r#"{"body":{"step":2},"status":200,"headers":{}}"#;
        let lines = written(Format::Lines, "response.replace", payload);
        assert_eq!(lines, "{\"event\":\"state\",\"id\":\"e-1\",\"data\":{\"step\":2}}\n");
        let events = written(Format::Events, "response.replace", payload);
        assert_eq!(events, "event: state\nid: e-1\ndata: {\"step\":2}\n\n");
    }

    #[test]
    fn frame_redirect_has_its_location() {
        let payload = r#"{"body":null,"status":302,"headers":{"location":"/done"}}"#;
        let lines = written(Format::Lines, "response.replace", payload);
        assert!(
            lines.contains(r#""event":"redirect""#) && lines.contains(r#""location":"/done""#),
            "{lines}"
        );
    }

    #[test]
    fn frame_message_is_the_default_event() {
        assert_eq!(written(Format::Events, "message", "1"), "id: e-1\ndata: 1\n\n");
    }

    #[test]
    fn frame_that_lists_members_is_a_message_for_each() {
        let listed = r#"{"joins":1,"leaves":1,"events":[{"event":"joins","eventID":"joins-1","message":{"n":1}},
            {"event":"leaves","eventID":"leaves-2"}]}"#;
        assert_eq!(
            written(Format::Lines, "room:joins-leaves", listed),
            "{\"event\":\"room:message\",\"id\":\"joins-1\",\"data\":{\"n\":1}}\n\
             {\"event\":\"room:message\",\"id\":\"leaves-2\",\"data\":null}\n"
        );
        let counted = r#"{"joins":99,"leaves":1}"#;
        assert_eq!(
            written(Format::Events, "room:joins-leaves", counted),
            format!("event: room:joins-leaves\nid: e-1\ndata: {counted}\n\n")
        );
    }

    #[test]
    fn text_event_has_a_field_for_each_line() {
        let mut out = Vec::new();
        text_event(None, Some("1"), "a\nb\r\n\rc\n", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "id: 1\ndata: a\ndata: b\ndata: \ndata: c\ndata: \n\n");
    }

    #[test]
    fn frame_line_breaks_cannot_end_a_field() {
        let text = written(Format::Events, "x\ndata: 2", "[1,\n2]");
        assert_eq!(text, "event: x data: 2\nid: e-1\ndata: [1, 2]\n\n");
    }
}
