//! Lines that ended a moment ago, for clients whose last words were on their way.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::{Token, Visitor};

/// How many are remembered. Beyond that the oldest is forgotten early, which costs its client no more than an error.
const MAX_REMEMBERED: usize = 4096;

/// The tokens of lines that were followed as events, and whose they were.
#[derive(Debug, Default)]
pub(crate) struct RecentlyClosed {
    visitors: HashMap<Token, Visitor>,
    /// In the order in which they ended, which is that in which they are forgotten.
    order: VecDeque<(Instant, Token)>,
}

impl RecentlyClosed {
    /// Remembers a line until then.
    pub(super) fn remember(&mut self, token: Token, visitor: Visitor, until: Instant) {
        if self.order.len() >= MAX_REMEMBERED
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.visitors.remove(&oldest);
        }
        self.visitors.insert(token, visitor);
        self.order.push_back((until, token));
    }

    /// Whose line it was.
    pub(super) fn visitor(&self, token: &Token) -> Option<&Visitor> {
        self.visitors.get(token)
    }

    /// Forgets those whose time has come.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some((_, token)) = self.order.pop_front_if(|(until, _)| *until <= now) {
            self.visitors.remove(&token);
        }
    }

    /// When there is something to forget.
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
