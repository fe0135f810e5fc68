//! The content of a message of the load: its sender, its number, and the time at which it was due.

/// `#` sender (5 digits) `:` number (9) `:` microseconds (12) `#`.
pub const LENGTH: usize = 2 + SENDER + NUMBER + TIME + 2;
const SENDER: usize = 5;
const NUMBER: usize = 9;
const TIME: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    pub sender: u32,
    /// Counts from 1 for each sender.
    pub number: u64,
    /// When the schedule wanted it sent, on the loader's clock.
    pub micros: u64,
}

impl Stamp {
    /// A text of `size` bytes (at least [`LENGTH`]) that carries the stamp wherever an envelope puts it.
    pub fn text(&self, size: usize) -> String {
        let Self { sender, number, micros } = self;
        let mut text = format!("#{sender:0SENDER$}:{number:0NUMBER$}:{micros:0TIME$}#");
        text.extend(std::iter::repeat_n('x', size.saturating_sub(LENGTH)));
        text
    }

    /// The first stamp in a payload.
    pub fn find(payload: &[u8]) -> Option<Self> {
        let start = payload.iter().position(|byte| *byte == b'#')?;
        let text = payload.get(start..start + LENGTH)?;
        let field = |from: usize, digits: usize| {
            text[from..from + digits].iter().try_fold(0, |sum, digit| match digit {
                b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
                _ => None,
            })
        };
        let number = 1 + SENDER + 1;
        Some(Self {
            sender: field(1, SENDER)? as u32,
            number: field(number, NUMBER)?,
            micros: field(number + NUMBER + 1, TIME)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_in_an_envelope_is_what_was_written() {
        let stamp = Stamp { sender: 17, number: 123_456, micros: 99_000_000 };
        let text = stamp.text(100);
        assert_eq!(text.len(), 100);
        let envelope = format!(r#"{{"message":"{text}",".wq":{{}}}}"#);
        assert_eq!(Stamp::find(envelope.as_bytes()), Some(stamp));
    }

    #[test]
    fn find_in_other_text_is_none() {
        assert_eq!(Stamp::find(b"welcome"), None);
        assert_eq!(Stamp::find(b"#1"), None);
        assert_eq!(Stamp::find(&[b'#'; 40]), None);
    }
}
