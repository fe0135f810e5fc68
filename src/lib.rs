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

mod browser;
mod cli;
mod config;
mod dev;
mod ext;
mod lines;
mod metrics;
mod router;
mod script;
mod server;
mod trust;

pub use cli::main;
