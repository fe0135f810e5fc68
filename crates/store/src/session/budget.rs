//! How much all sessions hold together, and whose sessions make room.

use std::collections::{BTreeSet, HashMap};

use super::UnixTime;

/// Bytes that a session counts as besides its keys and values.
pub(super) const SESSION_COST: usize = 1024;

/// The least time between two warnings that sessions were removed, in seconds.
const WARN_EVERY: u64 = 60;

/// What the sessions of each network hold. Where all hold more than the limit, the network that holds most makes room, so
/// that one client that begins many sessions removes its own.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    total: usize,
    held: HashMap<u64, usize>,
    /// The same, by size.
    by_size: BTreeSet<(usize, u64)>,
    /// Sessions that were removed since the last warning.
    removed: u64,
    warned: Option<UnixTime>,
}

impl Budget {
    /// A budget of `limit` bytes of which nothing is used.
    pub(super) fn new(limit: usize) -> Budget {
        let (held, by_size) = Default::default();
        Budget { limit, total: 0, held, by_size, removed: 0, warned: None }
    }

    /// The sessions of a network hold `after` bytes where they held `before`.
    pub(super) fn change(&mut self, network: u64, before: usize, after: usize) {
        let held = self.held.get(&network).copied().unwrap_or_default();
        self.set(network, (held + after).saturating_sub(before));
    }

    /// A network has no sessions.
    pub(super) fn forget(&mut self, network: u64) {
        self.set(network, 0);
    }

    fn set(&mut self, network: u64, bytes: usize) {
        if let Some(before) = self.held.remove(&network) {
            self.by_size.remove(&(before, network));
            self.total -= before;
        }
        if bytes > 0 {
            self.held.insert(network, bytes);
            self.by_size.insert((bytes, network));
            self.total += bytes;
        }
    }

    /// Whether all hold more than the limit.
    pub(super) fn is_over(&self) -> bool {
        self.total > self.limit
    }

    /// The networks that hold anything, the one that holds most first.
    pub(super) fn networks(&self) -> impl Iterator<Item = u64> {
        self.by_size.iter().rev().map(|(_, network)| *network)
    }

    /// A session was removed to make room.
    pub(super) fn count_removal(&mut self, now: UnixTime) {
        self.removed += 1;
        if self.warned.is_none_or(|at| at + WARN_EVERY <= now) {
            let (removed, limit) = (std::mem::take(&mut self.removed), self.limit);
            self.warned = Some(now);
            tracing::warn!(
                "sessions were removed, because all hold more than {limit} bytes (see --max-session-bytes): {removed}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_in_the_order_of_what_they_hold() {
        let mut budget = Budget::new(10);
        budget.change(1, 0, 6);
        budget.change(2, 0, 4);
        assert!(!budget.is_over());
        budget.change(2, 4, 7);
        assert!(budget.is_over());
        assert!(budget.networks().eq([2, 1]));
        budget.change(2, 7, 4);
        assert!(!budget.is_over());
        budget.change(3, 0, 1);
        assert!(budget.is_over());
        assert!(budget.networks().eq([1, 2, 3]));
        budget.forget(1);
        assert!(!budget.is_over());
    }
}
