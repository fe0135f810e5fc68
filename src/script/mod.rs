//! Isolates, which run handlers.
//!
//! | type | what it is |
//! |---|---|
//! | [`Isolate`] | one `JsRuntime` and the functions that enter it |
//! | [`Sources`] | the code that one generation has read, so that an isolate that replaces another loads the same |
//! | [`Site`] | the routes and files that handlers can query |
//! | [`Stall`] | a handler whose modules wait in a top-level await, before anything is served |
//! | [`survey`] | checks of a folder's code that do not run it |
//!
//! **Invariant:** one `JsRuntime` per thread, made and dropped there.

mod ahead;
mod border;
mod compiled;
mod configs;
mod declared;
mod embedded;
mod engine;
mod found;
mod half;
mod heaps;
mod inspector;
mod instances;
mod isolate;
mod loader;
pub(crate) mod modules;
#[cfg(feature = "node")]
mod node;
pub(crate) mod provided;
mod site;
mod snapshot;
mod sources;
mod stall;
pub(crate) mod survey;
mod values;
mod watchdog;

pub(crate) use ahead::read_ahead;
pub(crate) use half::need_node;
pub(crate) use inspector::{Inspector, InspectorSettings};
pub(crate) use isolate::{Dispatched, Isolate};
pub(crate) use site::Site;
pub(crate) use snapshot::{SnapshotError, file as snapshot_file, keep as keep_snapshot};
pub(crate) use sources::Sources;
pub(crate) use stall::Stall;
