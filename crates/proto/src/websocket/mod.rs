//! The frames of a WebSocket as a server reads and writes them (RFC 6455 section 5).
//!
//! A [`Decoder`] holds bytes only while a frame or a fragmented message is incomplete, so an idle line has no buffer.
//! [`Unfinished`] limits what all decoders hold together.

mod decoder;
mod encoder;
mod unfinished;

pub use decoder::{Decoder, FrameError, Received};
pub use encoder::{Kind, close_frame, frame, header};
pub use unfinished::Unfinished;
