//! Connections and requests: the listener that hands connections to workers, requests in, answers out, and the moment
//! when a connection becomes a line.
//!
//! | type | what it is |
//! |---|---|
//! | [`Listener`] | one or more bound addresses |
//! | [`Place`] | an address, or a name that has some |
//! | [`Doors`], [`Admission`] | how many connections are let in, in all and from one address |
//! | [`open_files`] | how many the system allows |
//! | [`Pool`] | the current generation of workers, replaced on reload and on loss |
//! | [`Worker`] | one thread: a tokio runtime, an isolate, and its share of the connections |
//! | `connection` | one connection, from its first byte to its end, its upgrade, or its move to a newer generation |
//! | `Outside`, `Clients` | what other threads hold of a worker, to go on without it when its isolate is lost |
//! | [`Parts`] | which files each route is made of, so that it is known what a save changes |
//!
//! **Invariant:** a request runs to completion on the thread that read it. A new generation is a new thread; nothing of
//! an old one is changed.

mod admission;
mod clients;
mod connection;
mod csrf;
mod dev;
mod line;
mod listener;
mod note;
mod observed;
pub(crate) mod open_files;
mod outside;
mod pace;
mod parts;
mod pool;
mod proxied;
mod requester;
mod service;
mod upgrade;
mod worker;

pub(crate) use admission::{Admission, Doors};
pub(crate) use clients::{Counted, Enlisted, Progress};
pub(crate) use listener::{ListenError, Listener, Place};
pub(crate) use pool::{Pool, Reloaded};
pub(crate) use worker::{Admitted, Called, Connection, Permit, PermitError, Taken, Worker};
