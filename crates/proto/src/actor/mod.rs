//! Actors, without I/O: which isolate runs an actor, when its events are delivered, when its outputs leave, when it
//! stops, and what survives it.
//!
//! | type | what it is |
//! |---|---|
//! | [`Actors`] | all actors of the process |
//! | [`ActorId`] | the name of an actor: its class and 32 bytes |
//! | [`Instance`] | one object of the class in an isolate; its number is the token that every write checks |
//! | [`Effect`] | what the driver has to do |
//! | [`Taken`] | an event that an instance handles now |
//! | [`Now`] | the time, which the driver sets before each input |
//! | [`Hold`] | why an instance without running events does not stop |
//! | [`Gate`] | why no event is delivered |
//! | [`AutoResponse`] | a message of a socket that is answered without JavaScript |
//! | [`ActorLimits`], [`ActorStats`] | limits and counters |
//!
//! ```text
//!          send            started             nothing runs              10 s, with sockets
//! absent ───────▶ starting ───────▶ active ◀─────────────────▶ idle ─────────────────────────▶ stopping ─▶ hibernating
//!   ▲                 │ start_failed     │ reset, 30 s blocked   │ 70 s, or a reload                │             │
//!   └─────────────────┴──────────────────┴──────▶ stopping ◀─────┘          stopped ─▶ absent ◀─────┘        send │
//!                                                                                    starting ◀──────────────────┘
//! ```
//!
//! **Invariants:** an id has at most one instance between [`Effect::Start`] and [`Actors::stopped`]. Events are delivered
//! in the order in which they were sent, none before [`Actors::started`], none while a gate is closed. An output leaves
//! when all writes before it are durable, in order. An alarm is delivered until its handler has returned, or has thrown
//! seven times. Sockets, their tags and attachments belong to the actor, not to an instance.

mod alarm;
mod engine;
mod hibernation;
mod id;
mod instance;
mod lifecycle;
mod limits;
mod output;
#[cfg(test)]
mod properties;
mod socket;
#[cfg(test)]
mod tests;

pub use alarm::AlarmEnd;
pub use engine::{Actors, Effect, Now, Refused, Rejected, Stop, Taken};
pub use id::{ActorId, EventId, Instance, InvalidActorId, SocketId};
pub use instance::{Gate, GateId, Hold};
pub use limits::{ActorLimits, ActorStats};
pub use socket::{AutoResponse, SocketError};
