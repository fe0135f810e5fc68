//! Messages that a client sends before its handler adds a listener.
//!
//! A message without a listener is kept, in order, until a listener for its type is added or the exchange
//! ends. One line keeps at most `--max-queue` bytes, and all lines share the budget of request bodies. Beyond
//! a limit, all messages of the type with the most bytes are dropped. If a listener for that type is added
//! later, the line is closed, because the handler must not receive an incomplete sequence.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use crate::ext::log::about;
use crate::ext::{Exchanges, Held};
use crate::metrics::HANDLER;
use liveline_proto::{Close, CloseCode, ExchangeId, InboundMessage};

/// Maximum bytes of the names of dropped types. Beyond it, every type counts as dropped.
const MAX_NAMES: usize = 16 * 1024;

/// Kept messages of the client of one line, in order of arrival.
#[derive(Debug)]
pub(crate) struct EarlyMessages {
    pub(super) messages: VecDeque<InboundMessage>,
    bytes: usize,
    /// The same bytes in the budget of the process.
    held: Held,
    pub(super) given_up: GivenUp,
}

/// Types whose messages were dropped.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    pub(super) names: HashSet<String>,
    bytes: usize,
    /// There were too many names to store: every type counts as dropped.
    pub(super) is_any: bool,
}

impl GivenUp {
    pub(super) fn has(&self, kind: &str) -> bool {
        self.is_any || self.names.contains(kind)
    }

    pub(super) fn has_of_channel(&self, channel: &str) -> bool {
        let is_of = |name: &String| name.rsplit_once(':').is_some_and(|(known, _)| known == channel);
        self.is_any || self.names.iter().any(is_of)
    }

    fn add(&mut self, kind: String) {
        if self.bytes + kind.len() > MAX_NAMES {
            self.is_any = true;
            self.names.clear();
        } else {
            self.bytes += kind.len();
            self.names.insert(kind);
        }
    }
}

impl EarlyMessages {
    pub(super) fn new(held: Held) -> EarlyMessages {
        EarlyMessages { messages: VecDeque::new(), bytes: 0, held, given_up: GivenUp::default() }
    }

    /// Keeps a message. Beyond a limit, drops the types with the most bytes until the rest fits.
    pub(super) fn keep(&mut self, message: InboundMessage, limit: usize, now: Instant) {
        if self.given_up.has(&message.kind) {
            return;
        }
        let size = message.size;
        let is_counted = self.held.grow(size, now).is_ok();
        self.bytes += size;
        self.messages.push_back(message);
        if is_counted && self.fits(limit) {
            return;
        }
        while self.give_up_largest() {
            if self.fits(limit) && self.held.grow(0, now).is_ok() {
                break;
            }
        }
    }

    /// A single message always fits, as its size has its own limit.
    fn fits(&self, limit: usize) -> bool {
        self.bytes <= limit || self.messages.len() == 1
    }

    /// Drops all messages of the type with the most bytes. Returns whether there was one.
    fn give_up_largest(&mut self) -> bool {
        let mut sums: HashMap<&str, usize> = HashMap::new();
        for message in &self.messages {
            *sums.entry(&message.kind).or_default() += message.size;
        }
        let Some(kind) = sums.into_iter().max_by_key(|(_, sum)| *sum).map(|(kind, _)| kind.to_owned()) else {
            return false;
        };
        let before = self.bytes;
        let bytes = &mut self.bytes;
        self.messages.retain(|message| {
            let stays = message.kind != kind;
            if !stays {
                *bytes -= message.size;
            }
            stays
        });
        self.held.shrink(before - self.bytes);
        self.given_up.add(kind);
        true
    }

    pub(super) fn take(&mut self, at: usize) -> Option<InboundMessage> {
        let message = self.messages.remove(at)?;
        self.bytes -= message.size;
        self.held.shrink(message.size);
        Some(message)
    }
}

impl Exchanges {
    pub(super) fn early(&mut self, id: ExchangeId) -> Option<&mut EarlyMessages> {
        self.slot(id)?.rare.as_mut()?.early.as_mut()
    }

    /// Closes the line, because a listener was added for a type whose messages were dropped.
    pub(super) fn close_incomplete_line(&mut self, id: ExchangeId) {
        let Some(line) = self.line(id) else { return };
        let limit = self.host.hub.engine().limits().queue_bytes;
        let context = self.context(Some(id));
        let (Some(method), Some(path)) = (&context.method, &context.path) else { return };
        about!(
            warn,
            HANDLER,
            context,
            "{method} {path}: before the handler listened, its client sent more than --max-queue ({limit} bytes); the \
             line closes with 1013, for what is missing cannot be delivered"
        );
        self.host
            .hub
            .deferred_turn()
            .cut(line, Close::because(CloseCode::TooSlow, "more was sent than waits for a listener".into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::Bodies;

    fn early(budget: usize) -> EarlyMessages {
        EarlyMessages::new(Bodies::new(budget, budget).begin([192, 0, 2, 1].into(), Instant::now()))
    }

    fn message(kind: &str, size: usize) -> InboundMessage {
        InboundMessage { kind: kind.into(), event_id: "e".into(), payload: None, ports: 0, size }
    }

    fn kinds(early: &EarlyMessages) -> Vec<&str> {
        early.messages.iter().map(|message| &*message.kind).collect()
    }

    #[test]
    fn messages_keep_their_order() {
        let mut early = early(1 << 20);
        for kind in ["a", "b", "a"] {
            early.keep(message(kind, 100), 1000, Instant::now());
        }
        assert_eq!(kinds(&early), ["a", "b", "a"]);
        assert_eq!(early.take(0).map(|message| message.kind), Some("a".into()));
        assert_eq!((kinds(&early), early.bytes), (vec!["b", "a"], 200));
    }

    #[test]
    fn the_largest_type_is_dropped_and_stays_dropped() {
        let mut early = early(1 << 20);
        for kind in ["small", "big", "big", "big", "big"] {
            early.keep(message(kind, 300), 1000, Instant::now());
        }
        assert_eq!(kinds(&early), ["small"]);
        assert!(early.given_up.has("big") && !early.given_up.has("small"));
        assert_eq!(early.held.budget(), 1 << 20);
    }

    #[test]
    fn all_lines_together_have_a_limit_too() {
        let mut early = early(8 * 1024);
        early.keep(message("a", 3000), 1 << 20, Instant::now());
        early.keep(message("b", 9000), 1 << 20, Instant::now());
        assert_eq!(kinds(&early), ["a"]);
        assert!(early.given_up.has("b"));
    }

    #[test]
    fn too_many_names_are_any_name() {
        let mut given_up = GivenUp::default();
        for number in 0..200 {
            given_up.add(format!("{number:0100}"));
        }
        assert!(given_up.is_any && given_up.has("another") && given_up.names.is_empty());
    }
}
