//! Sockets: the listener that hands connections to workers.
//!
//! | type | what it is |
//! |---|---|
//! | [`Listener`] | a bound address |
//! | [`Doors`], [`Admission`] | how many connections are let in, in all and from one address |
//! | [`open_files`] | how many the system allows |

mod admission;
mod listener;
pub mod open_files;

pub use admission::{Admission, Doors};
pub use listener::{ListenError, Listener};
