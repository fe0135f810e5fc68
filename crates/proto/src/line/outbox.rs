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
pub struct Parcel {
    pub frame: Frame,
    pub class: Class,
    /// What it takes up of a channel's budget for as long as it is kept.
    _place: Option<Place>,
}

/// What a frame is worth when not everything can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
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
impl PartialEq for Parcel {
    fn eq(&self, other: &Parcel) -> bool {
        (&self.frame, self.class) == (&other.frame, other.class)
    }
}

impl Eq for Parcel {}

impl Parcel {
    pub fn new(class: Class, frame: impl Into<Frame>) -> Parcel {
        Parcel { frame: frame.into(), class, _place: None }
    }

    /// A message of a channel.
    pub(crate) fn of_channel(frame: Frame, place: Place) -> Parcel {
        Parcel { frame, class: Class::Message, _place: Some(place) }
    }

    pub fn cost(&self) -> usize {
        FRAME_COST + self.frame.len()
    }
}

#[cfg(test)]
impl From<&str> for Parcel {
    fn from(text: &str) -> Parcel {
        Parcel::new(Class::Message, text)
    }
}

/// Frames in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<Parcel>,
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
    pub fn keep(&mut self) {
        self.keeps = true;
    }

    /// Whether a frame of `cost` fits into `budget`. Into an empty box it always does: it has a limit of its own.
    pub fn fits(&self, cost: usize, budget: usize) -> bool {
        self.frames.is_empty() || self.bytes + cost <= budget
    }

    /// Adds a frame.
    pub fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.cost();
        self.frames.push_back(parcel);
    }

    /// Adds a frame that is to be given out before all others that are new.
    pub fn push_first(&mut self, parcel: Parcel) {
        self.bytes += parcel.cost();
        self.frames.insert(self.numbered, parcel);
    }

    /// Drops new frames of these classes. Says how many.
    pub fn drop_new(&mut self, classes: &[Class]) -> usize {
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
    pub fn drop_oldest_message(&mut self) -> bool {
        let new = self.frames.iter().enumerate().skip(self.numbered);
        let oldest = new.filter(|(_, parcel)| parcel.class == Class::Message).map(|(at, _)| at).next();
        match oldest.and_then(|at| self.frames.remove(at)) {
            Some(parcel) => {
                self.bytes -= parcel.cost();
                true
            }
            None => false,
        }
    }

    /// Forgets everything. Numbers are not used again.
    pub fn clear(&mut self) {
        let base = self.base + self.numbered as u64;
        *self = Outbox { base, keeps: self.keeps, ..Outbox::default() };
    }

    /// Forgets everything but what is vital. Says how many frames that were; numbers are not used again, so that what
    /// is vital and may have arrived comes once more with another.
    pub fn outrun(&mut self) -> usize {
        self.base += self.numbered as u64;
        (self.numbered, self.given, self.given_bytes) = (0, 0, 0);
        let before = self.frames.len();
        self.frames.retain(|parcel| parcel.class == Class::Vital);
        self.bytes = self.frames.iter().map(Parcel::cost).sum();
        before - self.frames.len()
    }

    /// Gives out frames until about `bytes` are taken; at least one if there is one.
    pub fn take(&mut self, bytes: usize, into: &mut Vec<Outgoing>) {
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
    pub fn has_more(&self) -> bool {
        self.given < self.frames.len()
    }

    /// Bytes that were not given out on this connection.
    pub fn waiting(&self) -> usize {
        self.bytes - self.given_bytes
    }

    /// Bytes of all frames, a fixed cost for each included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the last frame that is not kept any more.
    pub fn acknowledged(&self) -> u64 {
        self.base
    }

    /// The client has everything up to `number`.
    pub fn acknowledge(&mut self, number: u64) -> Result<(), NeverSent> {
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
    pub fn rewind(&mut self, number: u64) -> Result<bool, NeverSent> {
        let is_complete = number >= self.base;
        if is_complete {
            self.acknowledge(number)?;
        }
        (self.given, self.given_bytes) = (0, 0);
        Ok(is_complete)
    }

    fn pop(&mut self) -> Option<Parcel> {
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

    fn outbox(keeps: bool, frames: &[(Class, &str)]) -> Outbox {
        let mut outbox = Outbox { keeps, ..Outbox::default() };
        frames.iter().for_each(|(class, text)| outbox.push(Parcel::new(*class, *text)));
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

    const ABC: [(Class, &str); 3] = [(Class::Message, "a"), (Class::Message, "b"), (Class::Message, "c")];

    #[test]
    fn fits_always_into_an_empty_box() {
        let mut outbox = outbox(false, &[]);
        assert!(outbox.fits(100, 4));
        outbox.push(Parcel::new(Class::Message, "1"));
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
        outbox.push(Parcel::new(Class::Message, "d"));
        assert_eq!(taken(&mut outbox), ["4 d"]);
    }

    #[test]
    fn outrun_forgets_and_numbers_go_on() {
        let mut outbox = outbox(true, &ABC);
        taken(&mut outbox);
        outbox.push(Parcel::new(Class::Vital, "done"));
        assert_eq!(outbox.outrun(), 3);
        assert_eq!(outbox.rewind(1), Ok(false));
        assert_eq!(taken(&mut outbox), ["4 done"]);
    }

    #[test]
    fn drop_leaves_what_has_a_number() {
        let mut outbox = outbox(true, &[(Class::Delta, "a"), (Class::Message, "b")]);
        taken(&mut outbox);
        outbox.push(Parcel::new(Class::Delta, "c"));
        outbox.push(Parcel::new(Class::Message, "d"));
        assert_eq!(outbox.drop_new(&[Class::Delta, Class::State]), 1);
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
        outbox.push(Parcel::new(Class::Message, "b"));
        outbox.push_first(Parcel::new(Class::Vital, "first"));
        assert_eq!(taken(&mut outbox), ["2 first", "3 b"]);
    }
}
