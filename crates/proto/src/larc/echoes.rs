//! Messages that a page sends back.
//!
//! A component that both receives and sends a topic publishes what it receives on the bus of its page, hears that there,
//! and sends it to the server as a message of its own. Two such pages would send one message to each other for ever.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::topic::Millis;

/// How many messages are remembered. A component sends them back at once.
const REMEMBERED: usize = 64;

/// How long, in milliseconds.
const LIFETIME: u64 = 5000;

/// The fingerprints of messages that a page received lately.
#[derive(Debug, Default)]
pub struct Echoes(VecDeque<(u64, Millis)>);

impl Echoes {
    /// The page receives a message.
    pub fn sent(&mut self, fingerprint: u64, now: Millis) {
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((fingerprint, now));
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a message of the page is one that it received. Each counts once.
    pub fn is_echo(&mut self, fingerprint: u64, now: Millis) -> bool {
        while self.0.front().is_some_and(|(_, at)| at.plus(LIFETIME) < now) {
            self.0.pop_front();
        }
        let found = self.0.iter().position(|(known, _)| *known == fingerprint);
        found.map(|at| self.0.remove(at)).is_some()
    }
}

/// The fingerprint of a message, which is the same however its JSON is written.
pub fn fingerprint(topic: &str, data: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    match serde_json::from_str::<serde_json::Value>(data) {
        Ok(value) => hash(&value, &mut hasher),
        Err(_) => data.hash(&mut hasher),
    }
    hasher.finish()
}

fn hash(value: &serde_json::Value, hasher: &mut DefaultHasher) {
    use serde_json::Value;
    match value {
        Value::Null => 0.hash(hasher),
        Value::Bool(value) => value.hash(hasher),
        // As browsers write it, whatever it was written as before.
        Value::Number(number) => number.as_f64().unwrap_or_default().to_bits().hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Array(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash(item, hasher));
        }
        Value::Object(fields) => {
            fields.len().hash(hasher);
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            for (name, value) in fields {
                name.hash(hasher);
                hash(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_back_is_an_echo_once() {
        let mut echoes = Echoes::default();
        let message = fingerprint("chat.x", r#"{ "a": 1.0, "b": ["\u0041"] }"#);
        echoes.sent(message, Millis(0));
        let back = fingerprint("chat.x", r#"{"b":["A"],"a":1}"#);
        assert!(!echoes.is_echo(fingerprint("chat.y", r#"{"b":["A"],"a":1}"#), Millis(1)));
        assert!(echoes.is_echo(back, Millis(1)));
        assert!(!echoes.is_echo(back, Millis(1)));
    }

    #[test]
    fn what_was_received_long_ago_is_no_echo() {
        let mut echoes = Echoes::default();
        echoes.sent(1, Millis(0));
        assert!(!echoes.is_echo(1, Millis(LIFETIME + 1)));
        (0..1000).for_each(|n| echoes.sent(n, Millis(0)));
        assert_eq!(echoes.0.len(), REMEMBERED);
    }
}
