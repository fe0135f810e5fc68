//! The driver of `liveline-proto`: connects the engine's lines to sockets, the clock and the mailboxes of isolates.
//!
//! | type | what it is |
//! |---|---|
//! | [`Hub`] | owns the engine and carries out its actions |
//! | `Turn` | exclusive use of the engine: its methods are the engine's inputs |
//! | [`LineEvent`] | what an isolate's mailbox receives when something happened on a line |
//! | [`socket::serve`] | one connection, for as long as it carries its line |
//! | [`tcp`] | reads from connections and writes to them, for HTTP, too |
//! | [`Meanwhile`] | reads raw sockets while their isolate's thread runs JavaScript for long |
//!
//! **Invariant:** the engine is locked for the length of one turn, never across an await, and nothing in here waits
//! for JavaScript.

mod clock;
mod hub;
mod meanwhile;
pub(crate) mod socket;
#[cfg(test)]
mod stress;
pub(crate) mod tcp;

pub(crate) use hub::{Hub, LineEvent};
pub(crate) use meanwhile::Meanwhile;
