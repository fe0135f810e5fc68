//! Who is let in: how many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Permit, PermitError};

/// How often a refusal is worth a line in the log.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The books: who is in. It does no I/O, and knows no clock.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Connections in all, if there is a limit.
    total: Option<usize>,
    per_address: Option<NonZeroU32>,
    inside: usize,
    from: HashMap<Network, u32>,
}

/// Whom connections are counted for: an IPv4 address, or the /64 of an IPv6 address, which is one customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}

impl Admission {
    /// Nobody is in yet. Without `total` there is no limit in all, with 0 none for an address.
    pub(crate) fn new(total: Option<usize>, per_address: u32) -> Admission {
        let per_address = NonZeroU32::new(per_address);
        Admission { total, per_address, inside: 0, from: HashMap::new() }
    }

    /// Lets one more connection in, for nobody in particular where it is a proxy's. Whoever gets `Ok` leaves again.
    pub(crate) fn enter(&mut self, from: Option<Network>) -> Result<(), PermitError> {
        if let Some(total) = self.total.filter(|total| self.inside >= *total) {
            return Err(PermitError::Full(total));
        }
        self.count(from)?;
        self.inside += 1;
        Ok(())
    }

    /// A connection that was let in is over.
    pub(crate) fn leave(&mut self, from: Option<Network>) {
        self.inside -= 1;
        self.discount(from);
    }

    /// A connection that is in counts for somebody else.
    pub(crate) fn change(&mut self, from: Option<Network>, to: Option<Network>) -> Result<(), PermitError> {
        if from != to {
            self.count(to)?;
            self.discount(from);
        }
        Ok(())
    }

    fn count(&mut self, from: Option<Network>) -> Result<(), PermitError> {
        if let Some((most, from)) = self.per_address.zip(from) {
            let count = self.from.entry(from).or_default();
            if *count >= most.get() {
                return Err(PermitError::Address(most.get()));
            }
            *count += 1;
        }
        Ok(())
    }

    fn discount(&mut self, from: Option<Network>) {
        let Some(from) = from else { return };
        if let Some(count) = self.from.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&from);
            }
        }
    }
}

/// The books as the listener and all threads that end connections share them.
#[derive(Debug, Clone)]
pub(crate) struct Doors(Arc<Mutex<Admission>>);

impl Doors {
    pub(crate) fn new(admission: Admission) -> Doors {
        Doors(Arc::new(Mutex::new(admission)))
    }

    /// A place for a connection from there; without an address it counts for nobody in particular.
    pub(crate) fn admit(&self, peer: Option<IpAddr>) -> Result<Admitted, PermitError> {
        let from = peer.map(Network::of);
        self.books().enter(from)?;
        Ok(Admitted { doors: self.clone(), from })
    }

    fn books(&self) -> MutexGuard<'_, Admission> {
        self.0.lock().expect("nothing panics with the books in hand")
    }
}

/// A connection's place, given up when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    doors: Doors,
    from: Option<Network>,
}

impl Permit for Admitted {
    fn count_for(&mut self, address: Option<IpAddr>) -> Result<(), PermitError> {
        let to = address.map(Network::of);
        self.doors.books().change(self.from, to)?;
        self.from = to;
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.doors.books().leave(self.from);
    }
}

/// Something that strangers cause, told in the log now and then: they cannot fill it.
#[derive(Debug, Default)]
pub(super) struct NowAndThen {
    told: Option<Instant>,
    untold: u64,
}

impl NowAndThen {
    /// It happened. Returns how often since it was last told, if it is time to tell again.
    pub(super) fn happened(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.duration_since(told) < LOG_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Option<Network> {
        Some(Network::of(address.parse().expect("an address")))
    }

    #[test]
    fn each_address_has_so_many_places() {
        let mut admission = Admission::new(None, 2);
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));

        assert_eq!(
            [one, one, one, other].map(|from| admission.enter(from).is_ok()),
            [true, true, false, true]
        );
        assert_eq!(admission.enter(one), Err(PermitError::Address(2)));
        admission.leave(one);
        assert_eq!(admission.enter(one), Ok(()));
    }

    #[test]
    fn all_have_so_many_places_together() {
        let mut admission = Admission::new(Some(2), 0);
        let (one, other) = (network("192.0.2.1"), network("192.0.2.2"));

        assert_eq!(admission.enter(one), Ok(()));
        assert_eq!(admission.enter(other), Ok(()));
        assert_eq!(admission.enter(one), Err(PermitError::Full(2)));
        admission.leave(other);
        assert_eq!(admission.enter(one), Ok(()));
    }

    #[test]
    fn nobody_is_remembered_who_has_left() {
        let mut admission = Admission::new(Some(10), 1);
        for number in 0..100_u8 {
            let from = Some(Network::of([192, 0, 2, number].into()));
            assert_eq!(admission.enter(from), Ok(()));
            assert!(admission.enter(from).is_err());
            admission.leave(from);
        }
        assert_eq!((admission.inside, admission.from.len()), (0, 0));
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_a_64() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_place_is_given_up_by_whoever_drops_it() {
        let doors = Doors::new(Admission::new(Some(1), 1));
        let peer = Some("192.0.2.1".parse().expect("an address"));

        let place = doors.admit(peer).expect("it is empty");
        assert!(doors.admit(peer).is_err());
        std::thread::spawn(move || drop(place)).join().expect("a thread");
        assert!(doors.admit(peer).is_ok());
    }

    #[test]
    fn a_proxys_connection_counts_for_whom_it_serves() {
        let doors = Doors::new(Admission::new(None, 1));
        let visitor = Some("192.0.2.1".parse().expect("an address"));

        let (mut one, mut other) = (doors.admit(None).expect("room"), doors.admit(None).expect("room"));
        assert_eq!(one.count_for(visitor), Ok(()));
        assert_eq!(one.count_for(visitor), Ok(()), "it counts once");
        assert_eq!(other.count_for(visitor), Err(PermitError::Address(1)));
        assert_eq!(one.count_for(None), Ok(()));
        assert_eq!(other.count_for(visitor), Ok(()));
        drop((one, other));
        assert!(doors.admit(visitor).is_ok());
    }

    #[test]
    fn what_happens_often_is_told_now_and_then() {
        let (mut refusals, start) = (NowAndThen::default(), Instant::now());

        assert_eq!(refusals.happened(start), Some(1));
        assert_eq!(refusals.happened(start), None);
        assert_eq!(refusals.happened(start + LOG_EVERY / 2), None);
        assert_eq!(refusals.happened(start + LOG_EVERY), Some(3));
    }
}
