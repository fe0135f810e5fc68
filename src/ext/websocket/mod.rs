//! WebSockets: those that handlers open to other servers, and those that they serve.

pub(crate) mod client;
pub(crate) mod pair;

pub(crate) use pair::SocketLine;
