//! Where the engine's lines meet real sockets, real time and real mailboxes.
//!
//! | type | what it is |
//! |---|---|
//! | [`Hub`] | runs the engine: the one place where its actions are carried out |
//! | [`Told`] | what an isolate's mailbox gets when something happened on a line |
//! | [`websocket::serve`] | one WebSocket, for as long as its line lives |
//! | [`events::serve`] | one response that tells a line's events |
//!
//! **Invariant:** the engine is locked for the length of one input, never across an await, and nothing in here
//! waits for JavaScript.

pub mod events;
mod hub;
pub mod websocket;

pub use hub::{Hub, Told};
