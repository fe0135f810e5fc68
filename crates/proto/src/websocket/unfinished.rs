//! A budget for the messages of all clients whose ends have not come.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::FrameError;

/// Networks are counted in so many groups, so that no list of networks has to be kept. Which of them are in one group is
/// a secret of the process.
const GROUPS: usize = 256;

/// The bytes of messages whose ends have not come. Half of them may be those of one group of networks; one message may be
/// as long as all together. Clones share the count.
#[derive(Debug, Clone)]
pub struct Unfinished(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    held: AtomicUsize,
    groups: Vec<Group>,
    hasher: RandomState,
}

/// What the networks of a group hold.
#[derive(Debug, Default)]
struct Group {
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

impl Unfinished {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Unfinished {
        let groups = std::iter::repeat_with(Group::default).take(GROUPS).collect();
        Unfinished(Arc::new(Shared { limit, held: AtomicUsize::new(0), groups, hasher: RandomState::new() }))
    }

    /// Bytes that are held now.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    fn group(&self, network: u64) -> &Group {
        &self.0.groups[self.0.hasher.hash_one(network) as usize % GROUPS]
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
        budget.group(network).messages.fetch_add(1, Ordering::Relaxed);
        Reservation { budget: budget.clone(), network, bytes: 0 }
    }

    /// The message has `bytes` bytes now.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), FrameError> {
        let Unfinished(shared) = &self.budget;
        let group = self.budget.group(self.network);
        if bytes <= self.bytes {
            let less = self.bytes - bytes;
            shared.held.fetch_sub(less, Ordering::Relaxed);
            group.bytes.fetch_sub(less, Ordering::Relaxed);
        } else {
            let more = bytes - self.bytes;
            let all = shared.held.fetch_add(more, Ordering::Relaxed) + more;
            let of_group = group.bytes.fetch_add(more, Ordering::Relaxed) + more;
            let is_alone = group.messages.load(Ordering::Relaxed) == 1;
            if all > shared.limit || (of_group > shared.limit / 2 && !is_alone) {
                shared.held.fetch_sub(more, Ordering::Relaxed);
                group.bytes.fetch_sub(more, Ordering::Relaxed);
                return Err(FrameError::NoRoom);
            }
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
        let group = self.budget.group(self.network);
        group.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        group.messages.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_gets_half_unless_it_is_one_message() {
        let budget = Unfinished::new(100);
        // A network of another group.
        let group = |network: u64| std::ptr::from_ref(budget.group(network));
        let stranger = (2..).find(|network| group(*network) != group(1)).expect("a second group");
        let mut first = Reservation::begin(&budget, 1);
        assert_eq!(first.resize(60), Ok(()));
        let mut second = Reservation::begin(&budget, 1);
        assert_eq!(second.resize(1), Err(FrameError::NoRoom));
        assert_eq!(first.resize(40), Ok(()));
        assert_eq!(second.resize(10), Ok(()));
        assert_eq!(second.resize(11), Err(FrameError::NoRoom));
        let mut other = Reservation::begin(&budget, stranger);
        assert_eq!(other.resize(50), Ok(()));
        assert_eq!(other.resize(51), Err(FrameError::NoRoom));
        drop(first);
        assert_eq!((other.resize(51), budget.held()), (Ok(()), 61));
        drop((second, other));
        assert_eq!(budget.held(), 0);
        assert!(budget.0.groups.iter().all(|group| group.messages.load(Ordering::Relaxed) == 0));
    }
}
