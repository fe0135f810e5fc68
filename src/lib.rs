//! Liveline: a server for folders of JavaScript route handlers whose answers can stay on the line.
//!
//! A request travels through these modules, in this order; `cli` stands before them. Each imports only from those to
//! its right, but for two: `isolate` and `client` read the router's routes, and `ports` drives the engine. `storage`
//! imports none.
//!
//! ```text
//!  socket  http      router     isolate     browsers   ops    saves  belief    SQLite      figures    engine     ports     wire
//!  net/ -> http/ ->  router/ -> isolate/ -> client/ -> ops/ -> dev/ -> trust/ -> storage/ -> observe/ -> engine/ -> ports/ -> wire/
//! ```

#[cfg(feature = "js")]
pub mod cli;
#[cfg(feature = "js")]
pub mod client;
#[cfg(feature = "js")]
pub mod dev;
pub mod engine;
#[cfg(feature = "js")]
pub mod http;
#[cfg(feature = "js")]
pub mod isolate;
#[cfg(feature = "js")]
pub mod net;
pub mod observe;
#[cfg(feature = "js")]
pub mod ops;
pub mod ports;
pub mod router;
pub mod storage;
#[cfg(feature = "js")]
pub mod trust;
pub mod wire;
