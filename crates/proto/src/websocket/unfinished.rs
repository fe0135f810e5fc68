//! A budget for the messages of all clients whose ends have not come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::FrameError;

/// The bytes of messages whose ends have not come. Half of them may be those of one network; one message may be as long as
/// all together. Clones share the count.
#[derive(Debug, Clone)]
pub struct Unfinished(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    held: usize,
    /// Of networks that hold any: bytes and messages.
    of: HashMap<u64, (usize, usize)>,
}

impl Unfinished {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Unfinished {
        Unfinished(Arc::new(Shared { limit, counts: Mutex::default() }))
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        self.counts().held
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().expect("counting does not panic")
    }
}

/// One message's part of the budget, returned when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Unfinished,
    network: u64,
    bytes: usize,
}

impl Reservation {
    /// No bytes yet, of a message of a client in `network`.
    pub(super) fn begin(budget: &Unfinished, network: u64) -> Reservation {
        budget.counts().of.entry(network).or_default().1 += 1;
        Reservation { budget: budget.clone(), network, bytes: 0 }
    }

    /// The message has `bytes` bytes now.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), FrameError> {
        let mut counts = self.budget.counts();
        let limit = self.budget.0.limit;
        let all = counts.held - self.bytes + bytes;
        let (held, messages) =
            counts.of.get_mut(&self.network).expect("it is there for as long as it has messages");
        let of_network = *held - self.bytes + bytes;
        let is_too_much = all > limit || (of_network > limit / 2 && *messages > 1);
        if bytes > self.bytes && is_too_much {
            return Err(FrameError::NoRoom);
        }
        *held = of_network;
        counts.held = all;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut counts = self.budget.counts();
        counts.held -= self.bytes;
        if let Some((held, messages)) = counts.of.get_mut(&self.network) {
            *held -= self.bytes;
            *messages -= 1;
            if *messages == 0 {
                counts.of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_gets_half_unless_it_is_one_message() {
        let budget = Unfinished::new(100);
        let mut first = Reservation::begin(&budget, 1);
        assert_eq!(first.resize(60), Ok(()));
        let mut second = Reservation::begin(&budget, 1);
        assert_eq!(second.resize(1), Err(FrameError::NoRoom));
        assert_eq!(first.resize(40), Ok(()));
        assert_eq!(second.resize(10), Ok(()));
        assert_eq!(second.resize(11), Err(FrameError::NoRoom));
        let mut other = Reservation::begin(&budget, 2);
        assert_eq!(other.resize(50), Ok(()));
        assert_eq!(other.resize(51), Err(FrameError::NoRoom));
        drop(first);
        assert_eq!((other.resize(51), budget.held()), (Ok(()), 61));
        drop((second, other));
        assert!(budget.held() == 0 && budget.counts().of.is_empty());
    }
}
