//! The lifecycle engine: everything that decides how an answer becomes a line, and how a line ends.
//!
//! | type | what it is |
//! |---|---|
//! | [`Exchange`] | one request until it is answered, or until its line takes over |
//! | [`Engine`] | all live lines: who may join, what waits to be sent, when each ends |
//! | [`Action`] | what the engine asks its driver to do |
//! | [`Seat`] | one connection of a line, which may have several, one after the other |
//! | [`Parcel`] | a frame, and what may become of it while its client is slow |
//! | [`Entry`] | how a line takes part in a channel: lines whose clients hear each other |
//! | [`Close`] | the one table of close codes |
//! | [`Stats`], [`Obituary`] | what all lines did, and what one did |
//!
//! **Invariant: sans-IO.** No socket, task, lock, random number or clock in here. Inputs are method calls, the
//! time is an argument, and what has to happen outside comes back as [`Action`]s. That makes every history
//! replayable, which the property tests rely on.

mod account;
#[cfg(test)]
mod channel_crowds;
#[cfg(test)]
mod channel_properties;
mod channels;
mod close;
mod crowd;
mod ended;
mod exchange;
mod ids;
mod line;
mod lines;
mod outbox;
mod presence;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod resume_properties;
mod stats;
mod visitor;
mod wheel;

pub use channels::{Announcement, Entry, Listening, Message, Presence, Wording};
pub use close::{Close, CloseCode};
pub use crowd::network;
pub use exchange::{Effect, Exchange, Input, Reach, Refused};
pub use ids::{ChannelId, ExchangeId, InvalidChannel, LineId, MemberId, OwnerId, Token};
pub use line::{Carrier, Event, Outgoing, Payload, Said, Seat, Take};
pub use lines::{Action, Engine, JoinError, Limits, Opening, Overflow, TooManyLines};
pub use outbox::{Class, FRAME_COST, Parcel};
pub use stats::{Obituary, Stats};
pub use visitor::{Origins, Visitor, is_same_origin};
