//! What all lines of a channel have queued in sum.
//!
//! The bytes of a frame are shared by the lines that wait for it, so they count once, from when it is made until the
//! last of these lines has no more need of it. Each place in a line's queue counts besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{FRAME_COST, Frame, QueuedFrame};

/// A channel's sum, in bytes.
///
/// The engine's user holds the engine exclusively, so the order of the operations does not matter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account(Arc<AtomicUsize>);

impl Account {
    /// Bytes that wait, or are kept until they are acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A frame that lines of the channel are going to have queued.
    pub(crate) fn charge(&self, frame: Frame) -> Charged {
        self.0.fetch_add(frame.len(), Ordering::Relaxed);
        Charged(Arc::new(Counted { account: self.clone(), frame }))
    }
}

/// A frame whose bytes count. Clones are the same frame.
#[derive(Debug, Clone)]
pub(crate) struct Charged(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    account: Account,
    frame: Frame,
}

impl Charged {
    pub(crate) fn frame(&self) -> &Frame {
        &self.0.frame
    }

    /// The sum that it counts in.
    pub(crate) fn account(&self) -> &Account {
        &self.0.account
    }

    /// What one line queues.
    pub(crate) fn into_parcel(self) -> QueuedFrame {
        self.account().0.fetch_add(FRAME_COST, Ordering::Relaxed);
        QueuedFrame::of_channel(self.frame().clone(), Place(self))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.frame.len(), Ordering::Relaxed);
    }
}

/// A frame's place in the queue of one line.
#[derive(Debug)]
pub(crate) struct Place(Charged);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.account().0.fetch_sub(FRAME_COST, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charge_counts_a_frame_once_and_each_place() {
        let account = Account::default();
        let charged = account.charge("0123456789".into());
        let mut parcels: Vec<QueuedFrame> = (0..3).map(|_| charged.clone().into_parcel()).collect();
        drop(charged);
        assert_eq!(account.bytes(), 10 + 3 * FRAME_COST);
        parcels.truncate(1);
        assert_eq!(account.bytes(), 10 + FRAME_COST);
        drop(parcels);
        assert_eq!(account.bytes(), 0);
    }
}
