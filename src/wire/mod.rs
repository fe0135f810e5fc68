//! The bytes of a live line: encoding and decoding of its JSON envelopes.
//!
//! | type | what it is |
//! |---|---|
//! | [`Envelope`] | what a host frame says before it is encoded |
//! | [`Incoming`] | a decoded client frame |
//! | [`Format`] | frames as server-sent events or lines of JSON |
//!
//! Pure functions over text: no I/O, no clock, nothing of the rest of the crate. The format is the
//! second generation of Webflo's protocol: `{"message": payload, ".wq": {"type", "eventID", …}}`.

mod events;
mod incoming;
mod outgoing;

pub use events::Format;
pub use incoming::{DecodeError, Incoming, decode, reply_address};
pub use outgoing::{Envelope, Frame, opened, response_done};
