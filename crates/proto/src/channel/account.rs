//! How many bytes all lines of a channel have queued together.
//!
//! Lines share the bytes of a frame, so these count once, from its encoding until the last line drops it. In addition
//! each place in a line's queue counts [`FRAME_COST`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{FRAME_COST, Frame, QueuedFrame};

/// A channel's sum, in bytes.
///
/// Inputs of the engine have it exclusively, so relaxed ordering is enough.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account(Arc<AtomicUsize>);

impl Account {
    /// Bytes that wait, or are kept until they are acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts a frame that lines of the channel will queue.
    pub(crate) fn charge(&self, frame: Frame) -> Charged {
        self.0.fetch_add(frame.len(), Ordering::Relaxed);
        Charged(Arc::new(Counted { account: self.clone(), frame }))
    }
}

/// A frame whose bytes are counted. Clones share the frame.
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

    /// The account that counts it.
    pub(crate) fn account(&self) -> &Account {
        &self.0.account
    }

    /// The frame for the queue of one line.
    pub(crate) fn into_queued(self) -> QueuedFrame {
        self.account().0.fetch_add(FRAME_COST, Ordering::Relaxed);
        QueuedFrame::of_channel(self.frame().clone(), Place(self))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.account.0.fetch_sub(self.frame.len(), Ordering::Relaxed);
    }
}

/// A frame's place in the queue of one line, counted until it is dropped.
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
        let mut queued: Vec<QueuedFrame> = (0..3).map(|_| charged.clone().into_queued()).collect();
        drop(charged);
        assert_eq!(account.bytes(), 10 + 3 * FRAME_COST);
        queued.truncate(1);
        assert_eq!(account.bytes(), 10 + FRAME_COST);
        drop(queued);
        assert_eq!(account.bytes(), 0);
    }
}
