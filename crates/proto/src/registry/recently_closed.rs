//! Event streams that ended a moment ago: a POST that was on its way then is answered without an error.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::{Token, Visitor};

/// How many are kept. Beyond that the oldest is dropped early; its client then gets an error.
const MAX_REMEMBERED: usize = 4096;

/// The tokens of lines that were event streams, and their visitors.
#[derive(Debug, Default)]
pub(crate) struct RecentlyClosed {
    visitors: HashMap<Token, Visitor>,
    /// In the order in which they ended and will be dropped.
    order: VecDeque<(Instant, Token)>,
}

impl RecentlyClosed {
    /// Keeps a token until then.
    pub(super) fn remember(&mut self, token: Token, visitor: Visitor, until: Instant) {
        if self.order.len() >= MAX_REMEMBERED
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.visitors.remove(&oldest);
        }
        self.visitors.insert(token, visitor);
        self.order.push_back((until, token));
    }

    /// The visitor whose line it was.
    pub(super) fn visitor(&self, token: &Token) -> Option<&Visitor> {
        self.visitors.get(token)
    }

    /// Drops those whose time is over.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((_, token)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            self.visitors.remove(&token);
        }
    }

    /// When the next one is dropped.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn visitor() -> Visitor {
        Visitor { session: None, address: [127, 0, 0, 1].into() }
    }

    #[test]
    fn remember_for_a_while() {
        let (mut ended, now) = (RecentlyClosed::default(), Instant::now());
        let until = now + Duration::from_secs(5);
        ended.remember(Token([1; 16]), visitor(), until);
        ended.forget(now);
        assert_eq!((ended.visitor(&Token([1; 16])), ended.deadline()), (Some(&visitor()), Some(until)));
        ended.forget(until);
        assert_eq!((ended.visitor(&Token([1; 16])), ended.deadline()), (None, None));
    }

    #[test]
    fn remember_so_many() {
        let (mut ended, until) = (RecentlyClosed::default(), Instant::now());
        for n in 0..=MAX_REMEMBERED as u128 {
            ended.remember(Token(n.to_be_bytes()), visitor(), until);
        }
        assert_eq!((ended.visitors.len(), ended.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
        assert_eq!(ended.visitor(&Token([0; 16])), None);
    }
}
