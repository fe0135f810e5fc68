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
#[macro_use]
mod embed;

#[cfg(feature = "js")]
pub mod browser;
#[cfg(feature = "js")]
pub mod cli;
#[cfg(feature = "js")]
pub mod config;
#[cfg(feature = "js")]
pub mod dev;
#[cfg(feature = "js")]
pub mod ext;
pub mod lines;
pub mod metrics;
pub mod router;
#[cfg(feature = "js")]
pub mod script;
#[cfg(feature = "js")]
pub mod server;
#[cfg(feature = "js")]
pub mod trust;
