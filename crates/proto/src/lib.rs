//! The protocol of live lines, without I/O: how an answer becomes a line, how a line ends, and the bytes on it.
//!
//! | type | what it is |
//! |---|---|
//! | [`Exchange`] | one request until it is answered, or until its line takes over |
//! | [`Engine`] | all live lines: which client may join, what waits to be sent, when each ends |
//! | [`Action`], [`Event`] | what the engine asks its driver to do, and what a line's owner receives |
//! | [`Attachment`] | one connection of a line, which may have several, one after the other |
//! | [`QueuedFrame`] | a frame, and how dispensable it is while its client is slow |
//! | [`JoinOptions`] | how a line takes part in a channel, whose members receive each other's messages |
//! | [`Close`] | the one table of close codes |
//! | [`Stats`], [`LineSummary`] | counters of all lines, and of one that ended |
//! | [`Envelope`] | what surrounds the payload of a host frame |
//! | [`Incoming`] | a decoded client frame |
//! | [`Numbered`] | a frame of `liveline.v1`, whose clients can resume a line |
//! | [`Format`] | frames as server-sent events or lines of JSON |
//! | [`actor`] | actors: one owner for each, gates, alarms, hibernation |
//! | [`websocket`] | frames on a WebSocket (RFC 6455) |
//! | [`http1`] | HTTP/1.1 as a server speaks it: heads, bodies, answers, connections |
//! | [`larc`] | what pages of LARC need: their frames, documents, presence |
//! | [`topic`] | named sequences of messages with subscribers that continue where they were |
//! | [`multipart`] | forms (RFC 7578), the one kind of body that the host parses |
//!
//! **Invariant: sans-IO.** No socket, task, lock, random number or clock in here. Inputs are method calls, the
//! time is set by [`Engine::at`], and what has to happen outside comes back as [`Action`]s. That makes every history
//! replayable, which the property tests rely on.
//!
//! The format of frames is the second generation of Webflo's protocol:
//! `{"message": payload, ".wq": {"type", "eventID", …}}`.

#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::missing_errors_doc)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test has to begin at some time"))]

pub mod actor;
mod channel;
mod close;
mod envelope;
mod event;
mod exchange;
pub mod http1;
mod ids;
pub mod larc;
mod line;
pub mod multipart;
mod numbered;
mod output;
#[cfg(test)]
mod properties;
mod registry;
mod sse;
pub mod topic;
mod visitor;
pub mod websocket;

pub use channel::{Announcement, JoinOptions, Listening, Message, Payloads, Presence};
pub use close::{Close, CloseCode};
pub use envelope::{DecodeError, Envelope, Frame, Incoming, decode, opened, reply_address, response_done};
pub use event::{Event, InboundMessage, Payload};
pub use exchange::{Effect, Exchange, ExchangeError, Input, Reach};
pub use ids::{ChannelId, ExchangeId, InvalidChannel, LineId, MemberId, OwnerId, Token};
pub use line::{FRAME_COST, Priority, QueuedFrame, TransportKind};
pub use numbered::{Numbered, PROTOCOL, Welcome, ack};
pub use output::{Action, Attachment, Outgoing, Take};
pub use registry::{Engine, JoinError, Limits, LineSummary, Opening, Overflow, Stats, TooManyLines, network};
pub use sse::{Format, LAST_EVENT_ID};
pub use visitor::{Caller, Origins, Visitor, is_same_origin};
