//! Isolates: the threads that run handlers, and the connections that they own.
//!
//! | type | what it is |
//! |---|---|
//! | [`Pool`] | the current generation of workers, replaced on reload and on loss |
//! | [`Worker`] | one thread: a tokio runtime, an [`Isolate`], and its share of the connections |
//! | [`Isolate`] | one `JsRuntime` and the functions that enter it |
//! | `Code`, `Sources` | what one generation has read, so that isolates that are replaced load the same |
//! | `Outside`, `Clients` | what other threads hold of a worker, to go on without it when its isolate is lost |
//! | [`Parts`] | which files each route is made of, so that it is known what a save changes |
//! | [`Settings`] | what all of them need to know |
//!
//! **Invariants:** one `JsRuntime` per thread, made and dropped there. A request runs to completion on the thread
//! that read it. A new generation is a new thread; nothing of an old one is changed.

mod border;
mod browser;
mod clients;
mod embedded;
mod examine;
mod fatal;
#[expect(clippy::module_inception, reason = "the folder is about isolates, the file is one")]
mod isolate;
mod live;
mod loader;
#[cfg(feature = "v8")]
mod microtasks;
mod modules;
mod outside;
mod parts;
mod pool;
#[cfg(all(test, feature = "ts"))]
mod primordials;
mod rest;
mod settings;
mod site;
mod snapshot;
mod sources;
#[cfg(feature = "v8")]
mod stack;
mod stall;
mod survey;
mod transpile;
mod values;
mod watchdog;
mod worker;

pub use clients::{Counted, Enlisted, Progress};
pub use examine::{Examination, Examined, examine};
pub use isolate::Isolate;
pub use parts::Parts;
pub use pool::{Pool, Reloaded};
pub use settings::{Limits, Settings};
pub use snapshot::{SnapshotError, keep as keep_snapshot};
pub use worker::{Admitted, Called, Connection, Permit, PermitError, Serve, Taken, Worker};
