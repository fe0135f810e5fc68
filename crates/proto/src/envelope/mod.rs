//! The JSON envelopes that frames are.

mod incoming;
mod outgoing;

pub use incoming::{DecodeError, Incoming, decode, reply_address};
pub use outgoing::{Envelope, Frame, opened, response_done};
