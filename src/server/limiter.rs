//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use liveline_proto::network;

/// Counts the connections of the process. Clones share the counts: the listener admits connections, and the threads
/// that serve them return their permits.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimiter(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    /// Limit of all connections, if there is one.
    total: Option<usize>,
    /// Limit for the connections of one network: an IPv4 address, or the /64 of an IPv6 address.
    per_network: Option<NonZeroU32>,
    open: usize,
    /// Connections of each network that has any, where there is a limit for them.
    of_network: HashMap<u64, u32>,
}

/// Why a connection is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PermitError {
    #[error("there are {0} already (see --max-connections)")]
    Full(usize),
    #[error("its address has {0} already (see --max-connections-per-address)")]
    Address(u32),
}

impl ConnectionLimiter {
    /// Without `total` there is no limit for all, with 0 none for an address.
    pub(crate) fn new(total: Option<usize>, per_address: u32) -> ConnectionLimiter {
        let per_network = NonZeroU32::new(per_address);
        ConnectionLimiter(Arc::new(Mutex::new(Counts {
            total,
            per_network,
            open: 0,
            of_network: HashMap::new(),
        })))
    }

    /// Admits a connection of a peer. Without an address it counts for the total alone: a proxy's connection carries
    /// requests of many clients.
    pub(crate) fn admit(&self, peer: Option<IpAddr>) -> Result<Permit, PermitError> {
        let network = peer.map(network);
        let mut counts = self.counts();
        if let Some(total) = counts.total.filter(|total| counts.open >= *total) {
            return Err(PermitError::Full(total));
        }
        counts.add(network)?;
        counts.open += 1;
        Ok(Permit { limiter: self.clone(), network })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nothing panics while the counts are locked")
    }
}

impl Counts {
    fn add(&mut self, network: Option<u64>) -> Result<(), PermitError> {
        if let Some((limit, network)) = self.per_network.zip(network) {
            let count = self.of_network.entry(network).or_default();
            if *count >= limit.get() {
                return Err(PermitError::Address(limit.get()));
            }
            *count += 1;
        }
        Ok(())
    }

    fn remove(&mut self, network: Option<u64>) {
        let Some(network) = network else { return };
        if let Some(count) = self.of_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of_network.remove(&network);
            }
        }
    }
}

/// An admitted connection's part of the counts, returned when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    limiter: ConnectionLimiter,
    network: Option<u64>,
}

impl Permit {
    /// Counts the connection for another address from here on, or with `None` for the total alone. Where that address
    /// has as many connections as it may have, nothing changes.
    pub(crate) fn count_for(&mut self, address: Option<IpAddr>) -> Result<(), PermitError> {
        let network = address.map(network);
        if network != self.network {
            let mut counts = self.limiter.counts();
            counts.add(network)?;
            counts.remove(self.network);
            drop(counts);
            self.network = network;
        }
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts();
        counts.open -= 1;
        counts.remove(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_has_a_limit() {
        let limiter = ConnectionLimiter::new(None, 2);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));

        let (first, _second) = (limiter.admit(one).expect("room"), limiter.admit(one).expect("room"));
        assert_eq!(limiter.admit(one).err(), Some(PermitError::Address(2)));
        assert!(limiter.admit(other).is_ok());
        drop(first);
        assert!(limiter.admit(one).is_ok());
    }

    #[test]
    fn all_connections_have_a_limit() {
        let limiter = ConnectionLimiter::new(Some(2), 0);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));

        let (_first, second) = (limiter.admit(one).expect("room"), limiter.admit(other).expect("room"));
        assert_eq!(limiter.admit(one).err(), Some(PermitError::Full(2)));
        drop(second);
        assert!(limiter.admit(one).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_closed_connections() {
        let limiter = ConnectionLimiter::new(Some(10), 1);
        for number in 0..100_u8 {
            let from = Some([192, 0, 2, number].into());
            let permit = limiter.admit(from);
            assert!(permit.is_ok());
            assert!(limiter.admit(from).is_err());
        }
        let counts = limiter.counts();
        assert_eq!((counts.open, counts.of_network.len()), (0, 0));
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_a_64() {
        for (one, other, is_same) in [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let limiter = ConnectionLimiter::new(None, 1);
            let _first = limiter.admit(address(one)).expect("room");
            assert_eq!(limiter.admit(address(other)).is_err(), is_same, "{one} {other}");
        }
    }

    #[test]
    fn any_thread_returns_a_permit() {
        let limiter = ConnectionLimiter::new(Some(1), 1);
        let peer = address("192.0.2.1");

        let permit = limiter.admit(peer).expect("room");
        assert!(limiter.admit(peer).is_err());
        std::thread::spawn(move || drop(permit)).join().expect("a thread");
        assert!(limiter.admit(peer).is_ok());
    }

    #[test]
    fn a_proxys_connection_counts_for_the_client_that_it_serves() {
        let limiter = ConnectionLimiter::new(None, 1);
        let visitor = address("192.0.2.1");

        let (mut one, mut other) = (limiter.admit(None).expect("room"), limiter.admit(None).expect("room"));
        assert_eq!(one.count_for(visitor), Ok(()));
        assert_eq!(one.count_for(visitor), Ok(()), "it counts once");
        assert_eq!(other.count_for(visitor), Err(PermitError::Address(1)));
        assert_eq!(one.count_for(None), Ok(()));
        assert_eq!(other.count_for(visitor), Ok(()));
        drop((one, other));
        assert!(limiter.admit(visitor).is_ok());
    }
}
