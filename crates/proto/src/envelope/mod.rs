//! Frames as JSON envelopes.

mod incoming;
mod outgoing;
mod wire;

pub use incoming::{DecodeError, Incoming, decode, reply_address};
pub use outgoing::{Envelope, Frame, opened, response_done};
pub(crate) use wire::Wire;
