//! Sockets: the listener that hands connections to workers.
//!
//! | type | what it is |
//! |---|---|
//! | [`Listener`] | one or more bound addresses |
//! | [`Place`] | an address, or a name that has some |
//! | [`Doors`], [`Admission`] | how many connections are let in, in all and from one address |
//! | [`open_files`] | how many the system allows |

mod admission;
mod listener;
pub mod open_files;

pub use admission::{Admission, Doors};
pub use listener::{ListenError, Listener, Place};
