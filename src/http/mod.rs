//! The HTTP edge: requests in, answers out, and the moment when a connection becomes a line.
//!
//! | function | what it does |
//! |---|---|
//! | [`serve`] | one connection, from its first byte to its end, its upgrade, or its move to a newer generation |
//!
//! **Invariant:** nothing in here knows JavaScript. What a request means is the router's business; what answers it
//! is the worker's.

mod connection;
mod csrf;
mod dev;
mod line;
mod note;
mod observed;
mod pace;
mod proxied;
mod redirect;
mod requester;
mod service;
mod strict;
mod upgrade;

pub use connection::serve;
