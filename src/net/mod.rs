//! Sockets: the listener that hands connections to workers.

mod listener;

pub use listener::{ListenError, Listener};
