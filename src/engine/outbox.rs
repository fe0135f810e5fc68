//! What waits to be written to one line.

use std::collections::VecDeque;

use crate::wire::Frame;

/// What a frame counts for besides its bytes: even an empty one takes memory.
pub const FRAME_COST: usize = 128;

/// Frames in order, within a budget of bytes.
#[derive(Debug, Default)]
pub struct Outbox {
    frames: VecDeque<Frame>,
    bytes: usize,
}

/// The frame would exceed the budget; it was not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// Takes a frame unless that would exceed `budget` bytes. A frame into an empty box always fits: its size has
    /// a limit of its own.
    pub fn push(&mut self, frame: Frame, budget: usize) -> Result<(), Full> {
        let cost = FRAME_COST + frame.len();
        if !self.frames.is_empty() && self.bytes + cost > budget {
            return Err(Full);
        }
        self.bytes += cost;
        self.frames.push_back(frame);
        Ok(())
    }

    /// Takes a frame that must be written before all others, under the same rule.
    pub fn push_front(&mut self, frame: Frame, budget: usize) -> Result<(), Full> {
        self.push(frame, budget)?;
        self.frames.rotate_right(1);
        Ok(())
    }

    /// Moves frames from the front into `into` until about `bytes` are taken; at least one if there is one.
    pub fn take(&mut self, bytes: usize, into: &mut Vec<Frame>) {
        let mut taken = 0;
        while taken < bytes
            && let Some(frame) = self.frames.pop_front()
        {
            taken += frame.len();
            self.bytes -= FRAME_COST + frame.len();
            into.push(frame);
        }
        if self.frames.is_empty() {
            // An idle line keeps no buffer.
            self.frames = VecDeque::new();
        }
    }

    /// Bytes that wait, with what each frame counts for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_over_budget_is_full() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push("12345678".into(), 4), Ok(()));
        assert_eq!(outbox.push("1".into(), 4), Err(Full));
    }

    #[test]
    fn take_keeps_order_and_counts() {
        let mut outbox = Outbox::default();
        for frame in ["a", "b", "c"] {
            outbox.push(frame.into(), 1000).unwrap();
        }
        let mut taken = Vec::new();
        outbox.take(2, &mut taken);
        assert_eq!((taken.concat_str(), outbox.bytes), ("ab".to_owned(), FRAME_COST + 1));
        outbox.take(9, &mut taken);
        assert!(outbox.is_empty() && outbox.bytes == 0);
    }

    trait ConcatStr {
        fn concat_str(&self) -> String;
    }

    impl ConcatStr for Vec<Frame> {
        fn concat_str(&self) -> String {
            self.iter().map(|frame| frame.as_str()).collect()
        }
    }
}
