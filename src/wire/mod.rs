//! The bytes of a live line: encoding and decoding of its JSON envelopes; and the bytes of forms.
//!
//! | type | what it is |
//! |---|---|
//! | [`Envelope`] | what a host frame says before it is encoded |
//! | [`Incoming`] | a decoded client frame |
//! | [`Numbered`] | a frame of `liveline.v1`, whose clients can come again |
//! | [`Format`] | frames as server-sent events or lines of JSON |
//! | [`websocket`] | frames as a WebSocket carries them |
//! | [`http1`] | requests, as far as hyper leaves open what they are |
//! | [`multipart`] | forms, the one kind of body that the host takes apart |
//!
//! Pure functions over text: no I/O, no clock, nothing of the rest of the crate. The format is the
//! second generation of Webflo's protocol: `{"message": payload, ".wq": {"type", "eventID", …}}`.

mod events;
pub mod http1;
mod incoming;
pub mod multipart;
mod numbered;
mod outgoing;
pub mod websocket;

pub use events::{Format, LAST_EVENT_ID};
pub use incoming::{DecodeError, Incoming, decode, reply_address};
pub use numbered::{Numbered, PROTOCOL, Welcome, ack};
pub use outgoing::{Envelope, Frame, opened, response_done};
