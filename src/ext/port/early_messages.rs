//! What a client sends before its handler listens for it.
//!
//! A message that no listener takes is kept, in order, until a listener for its type comes, or until the exchange ends.
//! A line may have `--max-queue` bytes of them, and all lines together share the budget of request bodies. Over that,
//! the messages of one type are given up: those that take the most. Nobody may ever ask for them; whoever does gets
//! nothing with a hole in it, but the end of the line.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use crate::ext::log::about;
use crate::ext::{Exchanges, Held};
use crate::metrics::HANDLER;
use liveline_proto::{Close, CloseCode, ExchangeId, InboundMessage};

/// Bytes of names of types that were given up. Beyond that no type is known to be whole.
const MAX_NAMES: usize = 16 * 1024;

/// Messages of one line's client, in the order in which they came.
#[derive(Debug)]
pub(crate) struct EarlyMessages {
    pub(super) messages: VecDeque<InboundMessage>,
    bytes: usize,
    /// The same bytes, as all of the process are counted.
    held: Held,
    pub(super) given_up: GivenUp,
}

/// Types of which messages are missing.
#[derive(Debug, Default)]
pub(super) struct GivenUp {
    pub(super) names: HashSet<String>,
    bytes: usize,
    /// There were too many to remember.
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

    /// Keeps a message, or gives up what takes the most.
    pub(super) fn keep(&mut self, said: InboundMessage, limit: usize, now: Instant) {
        if self.given_up.has(&said.kind) {
            return;
        }
        let size = said.size;
        let is_counted = self.held.grow(size, now).is_ok();
        self.bytes += size;
        self.messages.push_back(said);
        if is_counted && self.fits(limit) {
            return;
        }
        while self.give_up_largest() {
            if self.fits(limit) && self.held.grow(0, now).is_ok() {
                break;
            }
        }
    }

    /// A message alone always does: it has a limit of its own.
    fn fits(&self, limit: usize) -> bool {
        self.bytes <= limit || self.messages.len() == 1
    }

    /// Gives up the type that takes the most. Says whether there was one.
    fn give_up_largest(&mut self) -> bool {
        let mut sums: HashMap<&str, usize> = HashMap::new();
        for said in &self.messages {
            *sums.entry(&said.kind).or_default() += said.size;
        }
        let Some(kind) = sums.into_iter().max_by_key(|(_, sum)| *sum).map(|(kind, _)| kind.to_owned()) else {
            return false;
        };
        let before = self.bytes;
        let bytes = &mut self.bytes;
        self.messages.retain(|said| {
            let stays = said.kind != kind;
            if !stays {
                *bytes -= said.size;
            }
            stays
        });
        self.held.shrink(before - self.bytes);
        self.given_up.add(kind);
        true
    }

    pub(super) fn take(&mut self, at: usize) -> Option<InboundMessage> {
        let said = self.messages.remove(at)?;
        self.bytes -= said.size;
        self.held.shrink(said.size);
        Some(said)
    }
}

impl Exchanges {
    pub(super) fn early(&mut self, id: ExchangeId) -> Option<&mut EarlyMessages> {
        self.slot(id)?.rare.as_mut()?.early.as_mut()
    }

    /// A listener came for messages of which some were given up.
    pub(super) fn is_incomplete(&mut self, id: ExchangeId) {
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

    fn said(kind: &str, size: usize) -> InboundMessage {
        InboundMessage { kind: kind.into(), event_id: "e".into(), payload: None, ports: 0, size }
    }

    fn kinds(early: &EarlyMessages) -> Vec<&str> {
        early.messages.iter().map(|said| &*said.kind).collect()
    }

    #[test]
    fn messages_keep_their_order() {
        let mut early = early(1 << 20);
        for kind in ["a", "b", "a"] {
            early.keep(said(kind, 100), 1000, Instant::now());
        }
        assert_eq!(kinds(&early), ["a", "b", "a"]);
        assert_eq!(early.take(0).map(|said| said.kind), Some("a".into()));
        assert_eq!((kinds(&early), early.bytes), (vec!["b", "a"], 200));
    }

    #[test]
    fn what_takes_the_most_is_given_up_and_stays_so() {
        let mut early = early(1 << 20);
        for kind in ["small", "big", "big", "big", "big"] {
            early.keep(said(kind, 300), 1000, Instant::now());
        }
        assert_eq!(kinds(&early), ["small"]);
        assert!(early.given_up.has("big") && !early.given_up.has("small"));
        assert_eq!(early.held.budget(), 1 << 20);
    }

    #[test]
    fn what_all_lines_may_keep_has_a_limit_too() {
        let mut early = early(8 * 1024);
        early.keep(said("a", 3000), 1 << 20, Instant::now());
        early.keep(said("b", 9000), 1 << 20, Instant::now());
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
