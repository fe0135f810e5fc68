//! Frames of the subprotocol `liveline.v1`: gen-2 envelopes with a number in front, so that a client that lost its
//! connection can resume. docs/wire.md describes it.

use serde::{Deserialize, Serialize};

/// The name of the subprotocol in `Sec-WebSocket-Protocol`.
pub const PROTOCOL: &str = "liveline.v1";

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Numbered<'a> {
    /// An envelope and its number.
    Frame(u64, &'a str),
    /// Everything up to this number has arrived.
    Ack(u64),
}

/// The text is not a frame of the subprotocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {PROTOCOL} begins with its number")]
pub struct NotNumbered;

impl<'a> Numbered<'a> {
    /// Parses a text frame: `<number> <envelope>`, or `a<number>`.
    ///
    /// # Errors
    ///
    /// `NotNumbered` if the text has neither form, or the number has more than 15 digits.
    pub fn read(text: &'a str) -> Result<Numbered<'a>, NotNumbered> {
        if let Some(number) = text.strip_prefix('a') {
            return Ok(Numbered::Ack(decimal(number)?));
        }
        let (number, envelope) = text.split_once(' ').ok_or(NotNumbered)?;
        Ok(Numbered::Frame(decimal(number)?, envelope))
    }
}

/// A number of at most 15 digits, which JavaScript represents exactly.
fn decimal(text: &str) -> Result<u64, NotNumbered> {
    if text.is_empty() || text.len() > 15 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotNumbered);
    }
    text.parse().map_err(|_| NotNumbered)
}

/// The first frame of every connection.
#[derive(Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// Names the line when the client resumes.
    pub token: String,
    /// How long the line waits for the client after a loss, in milliseconds.
    pub window: u64,
    /// The client receives a frame at least this often, in milliseconds. Browsers do not show pages the pings of a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping: Option<u64>,
    /// The number of the last frame that came from the client.
    pub received: u64,
    /// Frames that the client has not seen are gone.
    pub lost: bool,
}

impl Welcome {
    /// The frame: `w{…}`.
    pub fn text(&self) -> String {
        format!("w{}", serde_json::to_string(self).expect("a string, numbers and a flag encode"))
    }
}

/// The frame that acknowledges everything up to `number`.
pub fn ack(number: u64) -> String {
    format!("a{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_frames_and_acks() {
        assert_eq!(Numbered::read("12 {\"a\": 1}"), Ok(Numbered::Frame(12, "{\"a\": 1}")));
        assert_eq!(Numbered::read("a7"), Ok(Numbered::Ack(7)));
    }

    #[test]
    fn read_anything_else_is_refused() {
        for text in
            ["", "a", "{}", "1", "-1 {}", "+1 {}", "1e3 {}", " {}", "a1 ", "1234567890123456 {}", "ä 1"]
        {
            assert_eq!(Numbered::read(text), Err(NotNumbered), "{text:?}");
        }
    }

    #[test]
    fn welcome_text() {
        let welcome =
            Welcome { token: "00".into(), window: 30_000, ping: Some(25_000), received: 2, lost: false };
        let text = r#"w{"token":"00","window":30000,"ping":25000,"received":2,"lost":false}"#;
        assert_eq!(welcome.text(), text);
    }
}
