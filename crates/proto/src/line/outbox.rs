//! What waits to be written to one line, and what its client may not have yet.
//!
//! ```text
//!  frames:  [ numbered: given out once, kept until acknowledged | new: never given out ]
//!                 ▲ given: how far this connection has come
//! ```
//!
//! Without numbers a frame is forgotten as soon as it is given out.

use std::collections::VecDeque;

use super::Outgoing;
use crate::Frame;
use crate::channel::Place;

/// What a frame counts for besides its bytes: even an empty one takes memory.
pub const FRAME_COST: usize = 128;

/// A frame, and what may become of it while its client is slow.
#[derive(Debug)]
pub struct QueuedFrame {
    pub frame: Frame,
    pub class: Priority,
    /// What it takes up of a channel's budget for as long as it is kept.
    _place: Option<Place>,
}

/// What a frame is worth when not everything can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Without it the client could not go on: never dropped.
    Vital,
    /// A state of the response: a later one makes it superfluous.
    State,
    /// Changes in a state: superfluous once the state is sent in full.
    Delta,
    /// Anything else: [`Overflow`](crate::Overflow) decides.
    Message,
}

/// Parcels with the same content are equal.
impl PartialEq for QueuedFrame {
    fn eq(&self, other: &QueuedFrame) -> bool {
        (&self.frame, self.class) == (&other.frame, other.class)
    }
}

impl Eq for QueuedFrame {}

impl QueuedFrame {
    pub fn new(class: Priority, frame: impl Into<Frame>) -> QueuedFrame {
        QueuedFrame { frame: frame.into(), class, _place: None }
    }

    /// A message of a channel.
    pub(crate) fn of_channel(frame: Frame, place: Place) -> QueuedFrame {
        QueuedFrame { frame, class: Priority::Message, _place: Some(place) }
    }

    pub fn cost(&self) -> usize {
        FRAME_COST + self.frame.len()
    }
}

#[cfg(test)]
impl From<&str> for QueuedFrame {
    fn from(text: &str) -> QueuedFrame {
        QueuedFrame::new(Priority::Message, text)
    }
}

/// Frames in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<QueuedFrame>,
    bytes: usize,
    /// The number of the frame in front, less one.
    base: u64,
    /// How many frames in front have numbers.
    numbered: usize,
    /// How many frames in front were given out on this connection.
    given: usize,
    given_bytes: usize,
    /// Whether frames have numbers and are kept until they are acknowledged.
    keeps: bool,
}

/// The other side says that it has what was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NeverSent;

impl Outbox {
    /// From now on frames have numbers and are kept until they are acknowledged.
    pub(super) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Whether a frame of `cost` fits into `budget`. Into an empty box it always does: it has a limit of its own.
    pub(super) fn fits(&self, cost: usize, budget: usize) -> bool {
        self.frames.is_empty() || self.bytes + cost <= budget
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, parcel: QueuedFrame) {
        self.bytes += parcel.cost();
        self.frames.push_back(parcel);
    }

    /// Adds a frame that is to be given out before all others that are new.
    pub(super) fn push_first(&mut self, parcel: QueuedFrame) {
        self.bytes += parcel.cost();
        self.frames.insert(self.numbered, parcel);
    }

    /// Drops new frames of these classes. Says how many.
    pub(super) fn drop_new(&mut self, classes: &[Priority]) -> usize {
        let before = self.frames.len();
        let (mut at, numbered) = (0, self.numbered);
        let bytes = &mut self.bytes;
        self.frames.retain(|parcel| {
            at += 1;
            let stays = at <= numbered || !classes.contains(&parcel.class);
            if !stays {
                *bytes -= parcel.cost();
            }
            stays
        });
        before - self.frames.len()
    }

    /// Drops the oldest new message. Says whether there was one.
    pub(super) fn drop_oldest_message(&mut self) -> bool {
        let new = self.frames.iter().enumerate().skip(self.numbered);
        let oldest = new.filter(|(_, parcel)| parcel.class == Priority::Message).map(|(at, _)| at).next();
        match oldest.and_then(|at| self.frames.remove(at)) {
            Some(parcel) => {
                self.bytes -= parcel.cost();
                true
            }
            None => false,
        }
    }

    /// Forgets everything. Numbers are not used again.
    pub(super) fn clear(&mut self) {
        let base = self.base + self.numbered as u64;
        *self = Outbox { base, keeps: self.keeps, ..Outbox::default() };
    }

    /// Forgets everything but what is vital. Says how many frames that were; numbers are not used again, so that what
    /// is vital and may have arrived comes once more with another.
    pub(super) fn outrun(&mut self) -> usize {
        self.base += self.numbered as u64;
        (self.numbered, self.given, self.given_bytes) = (0, 0, 0);
        let before = self.frames.len();
        self.frames.retain(|parcel| parcel.class == Priority::Vital);
        self.bytes = self.frames.iter().map(QueuedFrame::cost).sum();
        before - self.frames.len()
    }

    /// Gives out frames until about `bytes` are taken; at least one if there is one.
    pub(super) fn take(&mut self, bytes: usize, into: &mut Vec<Outgoing>) {
        let mut taken = 0;
        while taken < bytes && self.has_more() {
            if self.keeps {
                let parcel = &self.frames[self.given];
                let frame = parcel.frame.clone();
                self.given_bytes += parcel.cost();
                taken += frame.len();
                self.given += 1;
                self.numbered = self.numbered.max(self.given);
                into.push(Outgoing::Numbered(self.base + self.given as u64, frame));
            } else if let Some(parcel) = self.pop() {
                taken += parcel.frame.len();
                into.push(Outgoing::Frame(parcel.frame));
            }
        }
    }

    /// Whether there is something to give out.
    pub(super) fn has_more(&self) -> bool {
        self.given < self.frames.len()
    }

    /// Bytes that were not given out on this connection.
    pub(super) fn waiting(&self) -> usize {
        self.bytes - self.given_bytes
    }

    /// Bytes of all frames, a fixed cost for each included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the last frame that is not kept any more.
    pub(super) fn acknowledged(&self) -> u64 {
        self.base
    }

    /// The client has everything up to `number`.
    pub(super) fn acknowledge(&mut self, number: u64) -> Result<(), NeverSent> {
        if number > self.base + self.numbered as u64 {
            return Err(NeverSent);
        }
        while self.base < number
            && let Some(parcel) = self.pop()
        {
            self.base += 1;
            self.numbered -= 1;
            if self.given > 0 {
                self.given -= 1;
                self.given_bytes -= parcel.cost();
            }
        }
        Ok(())
    }

    /// A new connection begins, whose client has everything up to `number`. Says whether nothing is missing after that.
    pub(super) fn rewind(&mut self, number: u64) -> Result<bool, NeverSent> {
        let is_complete = number >= self.base;
        if is_complete {
            self.acknowledge(number)?;
        }
        (self.given, self.given_bytes) = (0, 0);
        Ok(is_complete)
    }

    fn pop(&mut self) -> Option<QueuedFrame> {
        let parcel = self.frames.pop_front()?;
        self.bytes -= parcel.cost();
        if self.frames.is_empty() {
            // An idle line keeps no buffer.
            self.frames = VecDeque::new();
        }
        Some(parcel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(keeps: bool, frames: &[(Priority, &str)]) -> Outbox {
        let mut outbox = Outbox { keeps, ..Outbox::default() };
        frames.iter().for_each(|(class, text)| outbox.push(QueuedFrame::new(*class, *text)));
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
    fn fits_always_into_an_empty_box() {
        let mut outbox = outbox(false, &[]);
        assert!(outbox.fits(100, 4));
        outbox.push(QueuedFrame::new(Priority::Message, "1"));
        assert!(!outbox.fits(100, 100 + FRAME_COST));
        assert!(outbox.fits(100, 101 + FRAME_COST));
    }

    #[test]
    fn take_keeps_order_and_counts() {
        let mut outbox = outbox(false, &ABC);
        let mut some = Vec::new();
        outbox.take(2, &mut some);
        assert_eq!((some.len(), outbox.bytes, outbox.waiting()), (2, FRAME_COST + 1, FRAME_COST + 1));
        assert_eq!(taken(&mut outbox), ["c"]);
        assert_eq!((outbox.bytes, outbox.has_more()), (0, false));
    }

    #[test]
    fn kept_frames_are_given_again_until_acknowledged() {
        let mut outbox = outbox(true, &ABC);
        assert_eq!(taken(&mut outbox), ["1 a", "2 b", "3 c"]);
        assert_eq!((outbox.waiting(), outbox.bytes), (0, 3 * (FRAME_COST + 1)));
        assert_eq!(outbox.rewind(1), Ok(true));
        assert_eq!(taken(&mut outbox), ["2 b", "3 c"]);
        assert_eq!(outbox.acknowledge(4), Err(NeverSent));
        assert_eq!(outbox.acknowledge(3), Ok(()));
        assert_eq!(outbox.bytes, 0);
        outbox.push(QueuedFrame::new(Priority::Message, "d"));
        assert_eq!(taken(&mut outbox), ["4 d"]);
    }

    #[test]
    fn outrun_forgets_and_numbers_go_on() {
        let mut outbox = outbox(true, &ABC);
        taken(&mut outbox);
        outbox.push(QueuedFrame::new(Priority::Vital, "done"));
        assert_eq!(outbox.outrun(), 3);
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
        assert_eq!(outbox.bytes, 2 * (FRAME_COST + 1));
    }

    #[test]
    fn push_first_is_before_what_is_new() {
        let mut outbox = outbox(true, &ABC[..1]);
        taken(&mut outbox);
        outbox.push(QueuedFrame::new(Priority::Message, "b"));
        outbox.push_first(QueuedFrame::new(Priority::Vital, "first"));
        assert_eq!(taken(&mut outbox), ["2 first", "3 b"]);
    }
}
