//! Liveline: a server for folders of JavaScript route handlers whose answers can stay on the line.
//!
//! Each layer uses only the layers below it:
//!
//! ```text
//!  cli       commands, their options, what they print
//!  server    listeners, connections, worker threads, generations of the code
//!  browser   the scripts that browsers run
//!  script    V8: isolates, modules, the watchdog
//!  config    the settings of a server
//!  ext       what JavaScript can call, by capability    dialect   what a handler is, one file for each dialect
//!  router    paths to handlers, pages and files         metrics   dev   messages to open pages   trust   hosts, proxies
//!  http      messages without connections               lines     lines on tokio     topics   topics on tokio
//!  ---------------------------------------------------------------------------------------------------------
//!  liveline-proto   exchanges, lines, channels, frames: no I/O
//!  liveline-compiler   source in, source out            liveline-store   SQLite databases and sessions
//! ```

#[macro_use]
mod embed;

mod browser;
mod cli;
mod clock;
mod config;
mod dev;
mod dialect;
mod ext;
mod http;
mod lines;
mod metrics;
mod random;
mod router;
mod script;
mod server;
mod topics;
mod trust;

pub use cli::main;
