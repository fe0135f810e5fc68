//! Liveline: a server for folders of JavaScript route handlers whose answers can stay on the line.
//!
//! A request travels through these modules, in this order; each imports only from those to its right:
//!
//! ```text
//!  socket      http        router       isolate        ops         engine        ports        wire
//!  net/   ->   http/  ->   router/  ->  isolate/  ->   ops/   ->   engine/  ->   ports/  ->   wire/  -> socket
//! ```

#[cfg(feature = "js")]
pub mod cli;
#[cfg(feature = "js")]
pub mod net;
#[cfg(feature = "js")]
pub mod http;
pub mod router;
#[cfg(feature = "js")]
pub mod isolate;
#[cfg(feature = "js")]
pub mod ops;
pub mod engine;
pub mod ports;
pub mod wire;
