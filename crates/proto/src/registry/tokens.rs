//! Which line a token names.

use hashbrown::HashTable;
use slab::Slab;

use crate::line::Line;
use crate::{LineId, Token};

/// The lines that tokens name.
///
/// A line has its tokens itself, so the table keeps a hash and the line's index: 9 bytes for a token in place of 25.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashTable<Named>);

/// A line that a token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named {
    /// Of the token.
    hash: u32,
    /// The line's index in the table of lines.
    index: u32,
}

impl Named {
    /// Tokens are random bits that the host chose, so a part of them is a hash that no client can make collide.
    fn new(token: Token, index: usize) -> Named {
        let [a, b, c, d, ..] = token.0;
        let index = u32::try_from(index).expect("a line's index has 24 bits");
        Named { hash: u32::from_le_bytes([a, b, c, d]), index }
    }

    /// The table takes the place from the low bits, and a mark from the high ones.
    fn spread(&self) -> u64 {
        u64::from(self.hash) << 32 | u64::from(self.hash)
    }
}

impl Tokens {
    /// The line at `index` of the table of lines has this token from now on.
    pub(super) fn insert(&mut self, token: Token, index: usize) {
        let named = Named::new(token, index);
        self.0.insert_unique(named.spread(), named, Named::spread);
    }

    /// The line at `index` has this token no more.
    pub(super) fn remove(&mut self, token: Token, index: usize) {
        let named = Named::new(token, index);
        if let Ok(entry) = self.0.find_entry(named.spread(), |known| *known == named) {
            entry.remove();
        }
    }

    /// The line that has this token.
    pub(super) fn line(&self, token: Token, lines: &Slab<(LineId, Line)>) -> Option<LineId> {
        let sought = Named::new(token, 0);
        let line = |named: &Named| lines.get(named.index as usize);
        let has_token = |named: &Named| {
            named.hash == sought.hash
                && line(named).is_some_and(|(_, line)| line.tokens().contains(&Some(token)))
        };
        let (id, _) = line(self.0.find(sought.spread(), has_token)?)?;
        Some(*id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Frees the memory for tokens that there are no more.
    pub(super) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit(Named::spread);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{ExchangeId, OwnerId, Visitor};

    /// A token whose first bytes, which are its hash, are those of all others here.
    fn token(last: u8) -> Token {
        let mut bytes = [7; 16];
        bytes[15] = last;
        Token(bytes)
    }

    fn lines(count: u8) -> (Slab<(LineId, Line)>, Tokens) {
        let (mut lines, mut tokens) = (Slab::new(), Tokens::default());
        let began = Instant::now();
        for n in 0..count {
            let visitor = Visitor { session: None, address: [127, 0, 0, 1].into() };
            let times = (began, began + Duration::from_secs(1));
            let line = Line::new(OwnerId(0), ExchangeId(n.into()), visitor, token(n), times);
            let index = lines.insert((LineId::new(n.into(), n.into()), line));
            tokens.insert(token(n), index);
        }
        (lines, tokens)
    }

    #[test]
    fn tokens_with_the_same_hash_name_their_own_lines() {
        let (lines, tokens) = lines(40);
        for n in 0..40 {
            assert_eq!(tokens.line(token(n), &lines).map(LineId::index), Some(n.into()));
        }
        assert_eq!(tokens.line(token(40), &lines), None);
    }

    #[test]
    fn a_removed_token_names_nothing_and_leaves_the_others() {
        let (lines, mut tokens) = lines(40);
        for n in (0..40).step_by(2) {
            tokens.remove(token(n), n.into());
        }
        tokens.shrink_to_fit();
        for n in 0..40 {
            let index = tokens.line(token(n), &lines).map(LineId::index);
            assert_eq!(index, (n % 2 == 1).then_some(n.into()));
        }
        (1..40).step_by(2).for_each(|n| tokens.remove(token(n), n.into()));
        assert!(tokens.is_empty());
    }

    #[test]
    fn removing_a_token_twice_does_no_harm() {
        let (lines, mut tokens) = lines(2);
        tokens.remove(token(0), 0);
        tokens.remove(token(0), 0);
        assert_eq!(tokens.line(token(1), &lines).map(LineId::index), Some(1));
    }
}
