//! What pages of LARC need from a server: its frames, documents that several users edit, and who is there.
//!
//! | type | what it is |
//! |---|---|
//! | [`read`], [`Request`] | a frame of a page, and what it asks for |
//! | [`Wire`] | the format of frames that a page understands |
//! | [`Pages`] | the pages that are connected, their documents and their users |
//! | [`Outgoing`] | a frame for pages |
//! | [`Echoes`] | what a page received lately, so that it does not send it back |
//!
//! Messages themselves are those of [topics](crate::topic). Like these, [`Pages`] does no I/O and has no clock: the time
//! is set by [`Pages::at`], and what has to happen outside comes back as [`PageAction`]s.

mod echoes;
mod frame;
mod online;
mod outgoing;
mod pages;
#[cfg(test)]
mod properties;
mod rooms;
#[cfg(test)]
mod tests;

pub use self::echoes::{Echoes, fingerprint};
pub use self::frame::{FrameError, Named, Publish, Request, Wire, read, topics_of};
pub use self::outgoing::Outgoing;
pub(crate) use self::outgoing::message_frame;
pub use self::pages::{PageAction, PageError, PageId, PageLimits, Pages, TooSlow, User};
