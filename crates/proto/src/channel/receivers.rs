//! The lines of a channel, side by side in memory: each message goes through all of them.

use std::collections::HashMap;

use crate::{LineId, MemberId};

/// One line of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver {
    pub line: LineId,
    pub member: MemberId,
    /// Its handler listens to the messages of every client in the channel.
    pub listens: bool,
}

/// All lines of a channel, in no particular order.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    all: Vec<Receiver>,
    /// Where each line is in `all`.
    places: HashMap<LineId, usize>,
}

impl Receivers {
    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, line: LineId) -> bool {
        self.places.contains_key(&line)
    }

    /// Whose line it is.
    pub(super) fn member(&self, line: LineId) -> Option<MemberId> {
        self.places.get(&line).map(|place| self.all[*place].member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Receiver> {
        self.all.iter()
    }

    /// Adds a line, which must not be there yet.
    pub(super) fn add(&mut self, line: LineId, member: MemberId) {
        let before = self.places.insert(line, self.all.len());
        debug_assert!(before.is_none(), "{line} was there already");
        self.all.push(Receiver { line, member, listens: false });
    }

    /// Removes a line. Returns whose it was.
    pub(super) fn remove(&mut self, line: LineId) -> Option<MemberId> {
        let place = self.places.remove(&line)?;
        let removed = self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            self.places.insert(moved.line, place);
        }
        if self.all.len() * 4 < self.all.capacity() {
            self.all.shrink_to(self.all.len() * 2);
            self.places.shrink_to(self.all.len() * 2);
        }
        Some(removed.member)
    }

    /// Whether the handler of a line listens to all messages.
    pub(super) fn listens(&self, line: LineId) -> bool {
        self.places.get(&line).is_some_and(|place| self.all[*place].listens)
    }

    /// The handler of a line listens to all messages from now on.
    pub(super) fn listen(&mut self, line: LineId) {
        if let Some(place) = self.places.get(&line) {
            self.all[*place].listens = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remove_keeps_the_places_of_the_others() {
        let mut receivers = Receivers::default();
        (0..5).for_each(|number| receivers.add(LineId(number), MemberId(10 + number)));
        receivers.listen(LineId(4));
        assert_eq!(receivers.remove(LineId(1)), Some(MemberId(11)));
        assert_eq!(receivers.remove(LineId(1)), None);
        assert_eq!((receivers.len(), receivers.contains(LineId(1))), (4, false));
        for number in [0, 2, 3, 4] {
            assert_eq!(receivers.member(LineId(number)), Some(MemberId(10 + number)));
        }
        let listening: Vec<_> = receivers.iter().filter(|one| one.listens).map(|one| one.line).collect();
        assert_eq!(listening, [LineId(4)]);
        for number in [4, 0, 3, 2] {
            assert_eq!(receivers.remove(LineId(number)), Some(MemberId(10 + number)));
        }
        assert_eq!(receivers.len(), 0);
    }
}
