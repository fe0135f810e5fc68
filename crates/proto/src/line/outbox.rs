//! The frames that wait to be written to one line, or to be acknowledged by its client.
//!
//! ```text
//!  frames:  [ numbered: taken once, kept until acknowledged | new: never taken ]
//!                 ▲ taken: how many this connection has taken
//! ```
//!
//! Without numbers a frame is dropped as soon as it is taken.

use std::collections::VecDeque;

use super::flow::Budget;
use crate::channel::Place;
use crate::{Frame, Outgoing};

/// Bytes that a frame counts for in a queue besides its payload: even an empty one takes memory.
pub const FRAME_COST: usize = 128;

/// A frame, and whether it may be dropped while its client is slow.
#[derive(Debug)]
pub struct QueuedFrame {
    /// What is sent.
    pub frame: Frame,
    /// Whether it may be dropped.
    pub priority: Priority,
    /// Its place in a channel's budget, which it has for as long as it is kept.
    place: Option<Place>,
}

/// Which frames may be dropped when a client is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The client depends on it: never dropped.
    Control,
    /// A state of the response: a later one replaces it.
    State,
    /// Changes of a state: a later full state replaces them.
    Delta,
    /// Anything else: [`Overflow`](crate::Overflow) decides.
    Message,
}

/// Frames with the same content are equal.
impl PartialEq for QueuedFrame {
    fn eq(&self, other: &QueuedFrame) -> bool {
        (&self.frame, self.priority) == (&other.frame, other.priority)
    }
}

impl Eq for QueuedFrame {}

impl QueuedFrame {
    /// A frame that is not a channel's message.
    pub fn new(priority: Priority, frame: impl Into<Frame>) -> QueuedFrame {
        QueuedFrame { frame: frame.into(), priority, place: None }
    }

    /// A message of a channel.
    pub(crate) fn of_channel(frame: Frame, place: Place) -> QueuedFrame {
        QueuedFrame { frame, priority: Priority::Message, place: Some(place) }
    }

    /// Bytes that it counts for in a queue.
    pub fn cost(&self) -> usize {
        FRAME_COST + self.frame.len()
    }

    /// Of these, the bytes that no channel's budget has counted.
    pub(crate) fn own_cost(&self) -> usize {
        if self.place.is_some() { 0 } else { self.cost() }
    }
}

#[cfg(test)]
impl From<&str> for QueuedFrame {
    fn from(text: &str) -> QueuedFrame {
        QueuedFrame::new(Priority::Message, text)
    }
}

/// The bytes of a line's frames, [`FRAME_COST`] for each included.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    all: usize,
    /// Without channels' messages, which have a budget of their own.
    own: usize,
}

impl Sizes {
    fn add(&mut self, frame: &QueuedFrame) {
        let cost = frame.cost();
        self.all += cost;
        self.own += if frame.place.is_none() { cost } else { 0 };
    }

    fn subtract(&mut self, frame: &QueuedFrame) {
        let cost = frame.cost();
        self.all -= cost;
        self.own -= if frame.place.is_none() { cost } else { 0 };
    }
}

/// Frames in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<QueuedFrame>,
    sizes: Sizes,
    /// The number of the frame in front, less one.
    base: u64,
    /// How many frames in front have numbers.
    numbered: u32,
    /// How many frames in front were taken on this connection.
    taken: u32,
    taken_bytes: usize,
    /// Whether frames have numbers and are kept until they are acknowledged.
    keeps: bool,
}

/// The client acknowledges a frame that was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NeverSent;

impl Outbox {
    /// From now on frames have numbers and are kept until they are acknowledged.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Whether a frame of `cost` bytes fits into `budget`. It always fits into an empty outbox, because frames have a limit
    /// of their own, unless other lines need the memory.
    pub(super) fn fits(&self, cost: usize, budget: Budget) -> bool {
        self.sizes.all + cost <= budget.bytes()
            || matches!(budget, Budget::Whole(_)) && self.frames.is_empty()
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, frame: QueuedFrame) {
        self.sizes.add(&frame);
        if self.frames.capacity() == 0 {
            // Most often a frame is written before the next one comes.
            self.frames.reserve_exact(1);
        }
        self.frames.push_back(frame);
    }

    /// Adds a frame before all others that are new.
    pub(super) fn push_first(&mut self, frame: QueuedFrame) {
        self.sizes.add(&frame);
        self.frames.insert(self.numbered as usize, frame);
    }

    /// Drops new frames of these priorities. Returns how many.
    pub(super) fn drop_new(&mut self, priorities: &[Priority]) -> usize {
        let before = self.frames.len();
        let (mut at, numbered) = (0, self.numbered as usize);
        let sizes = &mut self.sizes;
        self.frames.retain(|frame| {
            at += 1;
            let stays = at <= numbered || !priorities.contains(&frame.priority);
            if !stays {
                sizes.subtract(frame);
            }
            stays
        });
        before - self.frames.len()
    }

    /// Drops the oldest new message. Returns whether there was one.
    pub(super) fn drop_oldest_message(&mut self) -> bool {
        let new = self.frames.iter().enumerate().skip(self.numbered as usize);
        let oldest = new.filter(|(_, frame)| frame.priority == Priority::Message).map(|(at, _)| at).next();
        match oldest.and_then(|at| self.frames.remove(at)) {
            Some(frame) => {
                self.sizes.subtract(&frame);
                true
            }
            None => false,
        }
    }

    /// Drops all frames. Numbers are not used again.
    pub(super) fn clear(&mut self) {
        let base = self.base + u64::from(self.numbered);
        *self = Outbox { base, keeps: self.keeps, ..Outbox::default() };
    }

    /// Drops all frames except those of [`Priority::Control`]. Returns how many. Numbers are not used again: a control
    /// frame that may have arrived is sent once more, with another number.
    pub(super) fn drop_all_but_control(&mut self) -> usize {
        self.base += u64::from(self.numbered);
        (self.numbered, self.taken, self.taken_bytes) = (0, 0, 0);
        let before = self.frames.len();
        self.frames.retain(|frame| frame.priority == Priority::Control);
        self.sizes = Sizes::default();
        self.frames.iter().for_each(|frame| self.sizes.add(frame));
        before - self.frames.len()
    }

    /// Takes frames of about `bytes` of payload; at least one if there is one.
    pub(super) fn take(&mut self, bytes: usize, into: &mut Vec<Outgoing>) {
        let mut size = 0;
        while size < bytes && self.has_more() {
            if self.keeps {
                let queued = &self.frames[self.taken as usize];
                let frame = queued.frame.clone();
                self.taken_bytes += queued.cost();
                size += frame.len();
                self.taken += 1;
                self.numbered = self.numbered.max(self.taken);
                into.push(Outgoing::Numbered(self.base + u64::from(self.taken), frame));
            } else if let Some(QueuedFrame { frame, .. }) = self.pop() {
                size += frame.len();
                into.push(Outgoing::Frame(frame));
            }
        }
    }

    /// Whether there are frames to take.
    pub(super) fn has_more(&self) -> bool {
        (self.taken as usize) < self.frames.len()
    }

    /// Bytes that were not taken on this connection.
    pub(super) fn waiting(&self) -> usize {
        self.sizes.all - self.taken_bytes
    }

    /// Bytes of all frames, a fixed cost for each included.
    pub(super) fn bytes(&self) -> usize {
        self.sizes.all
    }

    /// Of these, the bytes that are not of channels' messages.
    pub(super) fn own_bytes(&self) -> usize {
        self.sizes.own
    }

    /// The number of the last frame that is not kept any more.
    pub(super) fn acknowledged(&self) -> u64 {
        self.base
    }

    /// The client has everything up to `number`.
    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), NeverSent> {
        if number > self.base + u64::from(self.numbered) {
            return Err(NeverSent);
        }
        while self.base < number
            && let Some(frame) = self.pop()
        {
            self.base += 1;
            self.numbered -= 1;
            if self.taken > 0 {
                self.taken -= 1;
                self.taken_bytes -= frame.cost();
            }
        }
        Ok(())
    }

    /// A new connection begins, whose client has everything up to `number`. Returns whether every later frame is kept.
    pub(super) fn rewind(&mut self, number: u64) -> Result<bool, NeverSent> {
        let is_complete = number >= self.base;
        if is_complete {
            self.acknowledge(number)?;
        }
        (self.taken, self.taken_bytes) = (0, 0);
        Ok(is_complete)
    }

    #[inline]
    fn pop(&mut self) -> Option<QueuedFrame> {
        let frame = self.frames.pop_front()?;
        self.sizes.subtract(&frame);
        if self.frames.is_empty() {
            // An idle line has no buffer.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(keeps: bool, frames: &[(Priority, &str)]) -> Outbox {
        let mut outbox = Outbox { keeps, ..Outbox::default() };
        frames.iter().for_each(|(priority, text)| outbox.push(QueuedFrame::new(*priority, *text)));
        outbox
    }

    fn taken(outbox: &mut Outbox) -> Vec<String> {
        let mut out = Vec::new();
        outbox.take(usize::MAX, &mut out);
        let text = |outgoing| match outgoing {
            Outgoing::Frame(frame) => frame.as_str().to_owned(),
            Outgoing::Numbered(number, frame) => format!("{number} {}", frame.as_str()),
            other => format!("{other:?}"),
        };
        out.into_iter().map(text).collect()
    }

    const ABC: [(Priority, &str); 3] =
        [(Priority::Message, "a"), (Priority::Message, "b"), (Priority::Message, "c")];

    #[test]
    fn fits_always_into_an_empty_outbox_unless_others_need_the_memory() {
        let mut outbox = outbox(false, &[]);
        assert!(!outbox.fits(100, Budget::Rest(4)));
        assert!(outbox.fits(100, Budget::Whole(4)));
        outbox.push(QueuedFrame::new(Priority::Message, "1"));
        assert!(!outbox.fits(100, Budget::Whole(100 + FRAME_COST)));
        assert!(outbox.fits(100, Budget::Whole(101 + FRAME_COST)));
    }

    #[test]
    fn take_keeps_order_and_counts() {
        let mut outbox = outbox(false, &ABC);
        let mut some = Vec::new();
        outbox.take(2, &mut some);
        assert_eq!((some.len(), outbox.bytes(), outbox.waiting()), (2, FRAME_COST + 1, FRAME_COST + 1));
        assert_eq!(taken(&mut outbox), ["c"]);
        assert_eq!((outbox.bytes(), outbox.has_more()), (0, false));
    }

    #[test]
    fn kept_frames_are_taken_again_until_acknowledged() {
        let mut outbox = outbox(true, &ABC);
        assert_eq!(taken(&mut outbox), ["1 a", "2 b", "3 c"]);
        assert_eq!((outbox.waiting(), outbox.bytes()), (0, 3 * (FRAME_COST + 1)));
        assert_eq!(outbox.rewind(1), Ok(true));
        assert_eq!(taken(&mut outbox), ["2 b", "3 c"]);
        assert_eq!(outbox.acknowledge(4), Err(NeverSent));
        assert_eq!(outbox.acknowledge(3), Ok(()));
        assert_eq!(outbox.bytes(), 0);
        outbox.push(QueuedFrame::new(Priority::Message, "d"));
        assert_eq!(taken(&mut outbox), ["4 d"]);
    }

    #[test]
    fn outrun_drops_and_numbers_go_on() {
        let mut outbox = outbox(true, &ABC);
        taken(&mut outbox);
        outbox.push(QueuedFrame::new(Priority::Control, "done"));
        assert_eq!(outbox.drop_all_but_control(), 3);
        assert_eq!(outbox.rewind(1), Ok(false));
        assert_eq!(taken(&mut outbox), ["4 done"]);
    }

    #[test]
    fn drop_leaves_what_has_a_number() {
        let mut outbox = outbox(true, &[(Priority::Delta, "a"), (Priority::Message, "b")]);
        taken(&mut outbox);
        outbox.push(QueuedFrame::new(Priority::Delta, "c"));
        outbox.push(QueuedFrame::new(Priority::Message, "d"));
        assert_eq!(outbox.drop_new(&[Priority::Delta, Priority::State]), 1);
        assert!(outbox.drop_oldest_message() && !outbox.drop_oldest_message());
        assert_eq!(
            (outbox.rewind(0), taken(&mut outbox)),
            (Ok(true), vec!["1 a".to_owned(), "2 b".to_owned()])
        );
        assert_eq!(outbox.bytes(), 2 * (FRAME_COST + 1));
    }

    #[test]
    fn push_first_is_before_what_is_new() {
        let mut outbox = outbox(true, &ABC[..1]);
        taken(&mut outbox);
        outbox.push(QueuedFrame::new(Priority::Message, "b"));
        outbox.push_first(QueuedFrame::new(Priority::Control, "first"));
        assert_eq!(taken(&mut outbox), ["2 first", "3 b"]);
    }
}
