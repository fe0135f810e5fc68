//! Connections and requests: the listener that hands connections to workers, requests in, answers out, and the moment
//! when a connection becomes a line.
//!
//! | type | what it is |
//! |---|---|
//! | [`Listener`] | one or more bound addresses |
//! | [`Place`] | an address, or a name that has some |
//! | [`Doors`], [`Admission`] | how many connections are let in, in all and from one address |
//! | [`open_files`] | how many the system allows |
//! | [`serve`] | one connection, from its first byte to its end, its upgrade, or its move to a newer generation |

mod admission;
mod connection;
mod csrf;
mod dev;
mod line;
mod listener;
mod note;
mod observed;
pub mod open_files;
mod pace;
mod proxied;
mod redirect;
mod requester;
mod service;
mod strict;
mod upgrade;

pub use admission::{Admission, Doors};
pub use connection::serve;
pub use listener::{ListenError, Listener, Place};
