//! Liveline: a server for folders of JavaScript route handlers whose answers can stay on the line.
//!
//! Each layer uses only the layers below it:
//!
//! ```text
//!  cli       commands, their options, what they print
//!  server    listeners, connections, worker threads, generations of the code
//!  browser   the files for browsers, and their modules
//!  script    V8: isolates, modules, the watchdog        dialect   what a handler is, one file for each dialect
//!  ext       what JavaScript can call, by capability    lines   lines on tokio
//!  router    paths to handlers, pages and files         http      messages without connections
//!  trust     hosts and proxies       dev   messages to open pages        metrics   what can be seen from outside
//!  ---------------------------------------------------------------------------------------------------------
//!  liveline-proto   exchanges, lines, channels, frames: no I/O
//!  liveline-compiler   source in, source out            liveline-store   SQLite databases and sessions
//! ```

#[macro_use]
mod embed;

mod browser;
mod cli;
mod config;
mod dev;
mod dialect;
mod ext;
mod http;
mod lines;
mod metrics;
mod router;
mod script;
mod server;
mod trust;

pub use cli::main;
