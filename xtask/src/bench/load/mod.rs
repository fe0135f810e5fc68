//! The loader: many connections from one thread, much cheaper per message than the servers it measures.
//!
//! | module | owns |
//! |---|---|
//! | `crowd` | the connections and their events |
//! | `dialect` | how a connection talks: live lines, WebSockets, Socket.IO, events, requests |
//! | `frames`, `head` | WebSocket frames; heads of HTTP answers |
//! | `stamp`, `sequence` | numbers in messages, and what they prove |

mod crowd;
mod dialect;
mod frames;
mod head;
mod sequence;
mod stamp;

pub use crowd::{Crowd, Happening, Mouth};
pub use dialect::{Dialect, Way};
pub use sequence::{Faults, Sequence};
pub use stamp::Stamp;
