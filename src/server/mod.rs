//! The server: connections, the requests on them, and the threads that run handlers.
//!
//! A connection comes from the [`Listener`], as far as the [`ConnectionLimiter`] admits it. The [`Pool`] sends it to a
//! [`Worker`], whose thread serves it.
//!
//! | file | what it has |
//! |---|---|
//! | `listener`, `limiter`, [`open_files`] | bound addresses; how many connections there may be |
//! | `pool/` | the current generation of workers, replaced on reload and on loss |
//! | `worker_thread`, `mailbox` | one thread: a tokio runtime, an isolate, its mail, and its share of the connections |
//! | `remote`, `connection_table` | what other threads share with a worker, to replace it when its isolate is lost |
//! | `connection` | one connection, from its first byte to its end, its upgrade, or its move to a newer generation |
//! | `http1/` | HTTP/1.1 on the stream of a connection |
//! | `monitor`, `timeouts` | what a connection does, and how long its client may take |
//! | `service` | one request: `route`, then a [`Reply`](reply::Reply), which is a response or an upgrade |
//! | `requester`, `caller`, `csrf` | which client sent a request, and what it may do |
//! | `line_endpoint`, `larc_endpoint`, `dev_endpoint`, `assets` | the host's own addresses, and static files |
//! | `completion`, `browser_request`, `access_log` | what an answer passes on its way out |
//! | `upgrade` | a connection that leaves HTTP |
//! | `route_files` | the files of each route, so that it is known what a save changes |
//!
//! **Invariant:** a request runs to completion on the thread that read it. A new generation is a new thread; nothing of
//! an old one is changed.

mod accepted;
mod access_log;
mod assets;
mod browser_request;
mod caller;
mod completion;
mod connection;
mod connection_table;
mod context;
mod csrf;
mod dev_endpoint;
mod http1;
mod larc_endpoint;
mod limiter;
mod line_endpoint;
mod listener;
mod mailbox;
mod monitor;
pub(crate) mod open_files;
mod pool;
mod proxied;
mod remote;
mod renewal;
mod reply;
mod requester;
mod route_files;
mod service;
mod timeouts;
mod upgrade;
mod worker;
mod worker_thread;

pub(crate) use connection_table::{PermitHandle, Progress, TableEntry};
pub(crate) use limiter::{ConnectionLimiter, PermitError};
pub(crate) use listener::{BindHost, ListenError, Listener};
pub(crate) use pool::{Extent, Pool, Reloaded, Trigger};
pub(crate) use worker::{Called, Worker};
