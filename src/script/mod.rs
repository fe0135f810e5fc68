//! Isolates: what runs handlers.
//!
//! | type | what it is |
//! |---|---|
//! | [`Isolate`] | one `JsRuntime` and the functions that enter it |
//! | [`Sources`] | what one generation has read, so that isolates that are replaced load the same |
//! | [`Site`] | what handlers can ask of the routes and files around them |
//! | [`Stall`] | a module that waits, while nothing serves yet |
//! | [`survey`] | what can be known of a folder's code without running it |
//!
//! **Invariant:** one `JsRuntime` per thread, made and dropped there.

mod border;
mod embedded;
mod engine;
mod isolate;
mod loader;
pub(crate) mod modules;
mod site;
mod snapshot;
mod sources;
mod stall;
pub(crate) mod survey;
mod values;
mod watchdog;

pub(crate) use isolate::{Dispatched, Isolate};
pub(crate) use site::Site;
pub(crate) use snapshot::{SnapshotError, keep as keep_snapshot};
pub(crate) use sources::Sources;
pub(crate) use stall::Stall;
