//! What waits for all clients together.

use std::collections::HashMap;

use crate::FRAME_COST;
use crate::line::Budget;

/// Bytes in the queue of a line that are not counted, in which nearly every line stays.
const FREE: usize = 128 * FRAME_COST;

/// The bytes that wait for all clients, and for those of each network, beyond [`FREE`] bytes of each line. Messages of
/// channels do not count: they have a budget of their own.
#[derive(Debug)]
pub(super) struct Queued {
    limit: usize,
    bytes: usize,
    networks: HashMap<u64, usize>,
}

impl Queued {
    /// `limit` bytes may wait for all clients, half of them for one network; 0 for any number.
    pub(super) fn new(limit: usize) -> Queued {
        Queued { limit, bytes: 0, networks: HashMap::new() }
    }

    /// Bytes of a line of `network` waited `before`, and wait `now`.
    pub(super) fn changed(&mut self, network: impl FnOnce() -> u64, before: usize, now: usize) {
        if before.max(now) > FREE && before != now && self.limit > 0 {
            let [before, now] = [before, now].map(|bytes| bytes.saturating_sub(FREE));
            self.count(network(), before, now);
        }
    }

    #[cold]
    fn count(&mut self, network: u64, before: usize, now: usize) {
        self.bytes = self.bytes - before + now;
        let of_network = self.networks.entry(network).or_default();
        *of_network = *of_network - before + now;
        if *of_network == 0 {
            self.networks.remove(&network);
        }
    }

    /// What may wait for the client of a line that has `held` bytes and is to get `more`. By itself the line could have
    /// `whole`.
    pub(super) fn budget(
        &self,
        network: impl FnOnce() -> u64,
        (held, more): (usize, usize),
        whole: usize,
    ) -> Budget {
        if held + more <= FREE || self.limit == 0 {
            return Budget::Whole(whole);
        }
        self.budget_beyond(network(), (held + more - FREE).min(more), whole)
    }

    /// What may wait for a line that gets `counted` bytes of those that are counted.
    #[cold]
    fn budget_beyond(&self, network: u64, counted: usize, whole: usize) -> Budget {
        let of_network = self.networks.get(&network).copied().unwrap_or_default();
        // A frame that is larger than the limit can be sent while nothing else waits.
        let has_room = self.bytes + counted <= self.limit && of_network + counted <= self.limit / 2;
        if has_room || self.bytes == 0 { Budget::Whole(whole) } else { Budget::Rest(whole.min(FREE)) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0 && self.networks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_may_use_half_and_what_is_free_is_always_there() {
        let mut queued = Queued::new(1000);
        let has_room = |queued: &Queued, network, held| match queued.budget(|| network, (held, 100), 1 << 20)
        {
            Budget::Whole(bytes) => bytes == 1 << 20,
            Budget::Rest(bytes) => bytes != FREE,
        };
        assert!(has_room(&queued, 1, 2000), "nothing else waits");
        queued.changed(|| 1, 0, FREE + 450);
        assert!(!has_room(&queued, 1, FREE), "450 and 100 are more than half");
        assert!(has_room(&queued, 1, FREE - 100));
        assert!(has_room(&queued, 1, FREE - 50), "only 50 of it would count");
        queued.changed(|| 2, 0, FREE + 500);
        assert!(!has_room(&queued, 3, FREE), "the limit of all");
        queued.changed(|| 1, FREE + 450, 0);
        assert!(has_room(&queued, 3, FREE));
        queued.changed(|| 2, FREE + 500, FREE);
        assert!(queued.is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let mut queued = Queued::new(0);
        queued.changed(|| 1, 0, 1 << 30);
        assert_eq!(queued.budget(|| 1, (1 << 30, 1), 9), Budget::Whole(9));
        assert!(queued.is_empty());
    }
}
