//! Where the engine's lines meet real sockets, real time and real mailboxes.
//!
//! | type | what it is |
//! |---|---|
//! | [`Hub`] | runs the engine: the one place where its actions are carried out |
//! | [`LineEvent`] | what an isolate's mailbox gets when something happened on a line |
//! | [`socket::serve`] | one connection, for as long as it carries its line |
//!
//! **Invariant:** the engine is locked for the length of one input, never across an await, and nothing in here
//! waits for JavaScript.

mod clock;
mod hub;
pub(crate) mod socket;
#[cfg(test)]
mod stress;

pub(crate) use hub::{Hub, LineEvent};
