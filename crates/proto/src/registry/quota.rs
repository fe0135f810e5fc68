//! How many lines each session and each address has.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;

use crate::Visitor;

/// Counts lines by session and by address. Keys are hashes with a secret of the process, so that a line costs the same
/// few bytes however long the session's name is.
#[derive(Debug)]
pub(crate) struct LineQuota {
    per_session: Option<NonZeroUsize>,
    per_address: Option<NonZeroUsize>,
    counts: HashMap<u64, u32>,
    hasher: RandomState,
}

impl LineQuota {
    /// A limit of 0 allows any number.
    pub(super) fn new(per_session: usize, per_address: usize) -> LineQuota {
        let [per_session, per_address] = [per_session, per_address].map(NonZeroUsize::new);
        LineQuota { per_session, per_address, counts: HashMap::new(), hasher: RandomState::new() }
    }

    /// Counts one more line. Returns false, and counts nothing, if a limit is reached.
    pub(super) fn admit(&mut self, visitor: &Visitor) -> bool {
        let keys = self.keys(visitor);
        let is_over =
            |(key, limit): Limited| self.counts.get(&key).is_some_and(|count| *count as usize >= limit.get());
        if keys.into_iter().flatten().any(is_over) {
            return false;
        }
        keys.into_iter().flatten().for_each(|(key, _)| *self.counts.entry(key).or_default() += 1);
        true
    }

    /// Counts one line less.
    pub(super) fn leave(&mut self, visitor: &Visitor) {
        for (key, _) in self.keys(visitor).into_iter().flatten() {
            if let Some(count) = self.counts.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&key);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The keys under which a visitor's lines are counted, with their limits. Without a limit nothing is counted.
    fn keys(&self, Visitor { session, address }: &Visitor) -> [Option<Limited>; 2] {
        let session = session.as_ref().zip(self.per_session);
        let session = session.map(|(session, limit)| (self.hasher.hash_one((1, session)), limit));
        let address = self.per_address.map(|limit| (self.hasher.hash_one((2, network(*address))), limit));
        [session, address]
    }
}

/// A key and its limit.
type Limited = (u64, NonZeroUsize);

/// The part of an address that one party controls: an IPv4 address, or the first 64 bits of an IPv6 address.
pub fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(session: Option<&str>, address: &str) -> Visitor {
        Visitor { session: session.map(Box::from), address: address.parse().unwrap() }
    }

    #[test]
    fn admit_until_the_limit_of_each() {
        let mut quota = LineQuota::new(1, 2);
        let (ann, bob) = (visitor(Some("ann"), "10.0.0.1"), visitor(Some("bob"), "10.0.0.1"));
        assert!(quota.admit(&ann));
        assert!(!quota.admit(&ann), "one per session");
        assert!(quota.admit(&bob));
        assert!(!quota.admit(&visitor(None, "10.0.0.1")), "two per address");
        assert!(quota.admit(&visitor(None, "10.0.0.2")));
        quota.leave(&ann);
        assert!(quota.admit(&visitor(None, "10.0.0.1")));
    }

    #[test]
    fn admit_a_network_of_addresses_as_one() {
        let mut quota = LineQuota::new(9, 1);
        assert!(quota.admit(&visitor(None, "2001:db8::1")));
        assert!(!quota.admit(&visitor(None, "2001:db8::2")));
        quota.leave(&visitor(None, "2001:db8::3"));
        assert!(quota.is_empty());
    }

    #[test]
    fn admit_ipv4_visitors_of_an_ipv6_socket_one_by_one() {
        let mut quota = LineQuota::new(9, 1);
        assert!(quota.admit(&visitor(None, "::ffff:192.0.2.1")));
        assert!(quota.admit(&visitor(None, "::ffff:192.0.2.2")));
        assert!(!quota.admit(&visitor(None, "192.0.2.2")));
    }

    #[test]
    fn admit_any_number_without_a_limit() {
        let mut quota = LineQuota::new(0, 0);
        assert!((0..3).all(|_| quota.admit(&visitor(Some("ann"), "10.0.0.1"))));
        quota.leave(&visitor(Some("ann"), "10.0.0.1"));
        assert!(quota.is_empty(), "nothing is counted");
    }
}
