//! Connections and requests: the listener that hands connections to workers, requests in, answers out, and the moment
//! when a connection becomes a line.
//!
//! | type | what it is |
//! |---|---|
//! | [`Listener`] | one or more bound addresses |
//! | [`Place`] | an address, or a name that has some |
//! | [`ConnectionLimiter`], `Permit` | how many connections there may be, in all and from one address |
//! | [`open_files`] | how many the system allows |
//! | [`Pool`] | the current generation of workers, replaced on reload and on loss |
//! | [`Worker`] | one thread: a tokio runtime, an isolate, and its share of the connections |
//! | `connection` | one connection, from its first byte to its end, its upgrade, or its move to a newer generation |
//! | `Outside`, `Clients` | what other threads hold of a worker, to go on without it when its isolate is lost |
//! | [`Parts`] | which files each route is made of, so that it is known what a save changes |
//!
//! **Invariant:** a request runs to completion on the thread that read it. A new generation is a new thread; nothing of
//! an old one is changed.

mod access_log;
mod assets;
mod browser_request;
mod caller;
mod clients;
mod completion;
mod connection;
mod context;
mod csrf;
mod dev_endpoint;
mod instrumented;
mod limiter;
mod line_endpoint;
mod listener;
pub(crate) mod open_files;
mod outside;
mod parts;
mod pool;
mod proxied;
mod reply;
mod requester;
mod rewind;
mod service;
mod timeouts;
mod upgrade;
mod worker;

pub(crate) use clients::{Counted, Enlisted, Progress};
pub(crate) use limiter::{ConnectionLimiter, PermitError};
pub(crate) use listener::{ListenError, Listener, Place};
pub(crate) use pool::{Pool, Reloaded};
pub(crate) use worker::{Called, Connection, Taken, Worker};
