//! The protocol of live lines, without I/O: how an answer becomes a line, how a line ends, and the bytes on it.
//!
//! | type | what it is |
//! |---|---|
//! | [`Exchange`] | one request until it is answered, or until its line takes over |
//! | [`Engine`] | all live lines: who may join, what waits to be sent, when each ends |
//! | [`Action`] | what the engine asks its driver to do |
//! | [`Attachment`] | one connection of a line, which may have several, one after the other |
//! | [`QueuedFrame`] | a frame, and what may become of it while its client is slow |
//! | [`JoinOptions`] | how a line takes part in a channel: lines whose clients hear each other |
//! | [`Close`] | the one table of close codes |
//! | [`Stats`], [`LineSummary`] | what all lines did, and what one did |
//! | [`Envelope`] | what a host frame says before it is encoded |
//! | [`Incoming`] | a decoded client frame |
//! | [`Numbered`] | a frame of `liveline.v1`, whose clients can come again |
//! | [`Format`] | frames as server-sent events or lines of JSON |
//! | [`websocket`] | frames as a WebSocket carries them |
//! | [`http1`] | requests, as far as hyper leaves open what they are |
//! | [`multipart`] | forms, the one kind of body that the host takes apart |
//!
//! **Invariant: sans-IO.** No socket, task, lock, random number or clock in here. Inputs are method calls, the
//! time is an argument, and what has to happen outside comes back as [`Action`]s. That makes every history
//! replayable, which the property tests rely on.
//!
//! The format of frames is the second generation of Webflo's protocol:
//! `{"message": payload, ".wq": {"type", "eventID", …}}`.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test has to begin at some time"))]

mod channel;
mod close;
mod envelope;
mod exchange;
pub mod http1;
mod ids;
mod line;
pub mod multipart;
mod numbered;
#[cfg(test)]
mod properties;
mod registry;
mod sse;
mod visitor;
pub mod websocket;

pub use channel::{Announcement, JoinOptions, Listening, Message, Payloads, Presence};
pub use close::{Close, CloseCode};
pub use envelope::{DecodeError, Envelope, Frame, Incoming, decode, opened, reply_address, response_done};
pub use exchange::{Effect, Exchange, ExchangeError, Input, Reach};
pub use ids::{ChannelId, ExchangeId, InvalidChannel, LineId, MemberId, OwnerId, Token};
pub use line::{
    Attachment, Event, FRAME_COST, InboundMessage, Outgoing, Payload, Priority, QueuedFrame, Take, Transport,
};
pub use numbered::{Numbered, PROTOCOL, Welcome, ack};
pub use registry::{
    Action, Engine, JoinError, Limits, LineSummary, Opening, Overflow, Stats, TooManyLines, network,
};
pub use sse::{Format, LAST_EVENT_ID};
pub use visitor::{Origins, Visitor, is_same_origin};
