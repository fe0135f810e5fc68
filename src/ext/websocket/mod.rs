//! WebSockets: those that handlers open to other servers, and those that they serve.

pub mod client;
pub mod pair;

pub use pair::SocketLine;
