//! WebSockets: [`client`]: to other servers; [`pair`]: served by handlers.

pub(crate) mod client;
pub(crate) mod pair;
pub(crate) mod served;
