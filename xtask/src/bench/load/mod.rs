//! The loader: many connections from one thread, much cheaper per message than the servers it measures.
//!
//! | module | owns |
//! |---|---|
//! | `generator` | the connections and their events |
//! | `protocol` | the protocols of a connection: live lines, WebSockets, Socket.IO, events, requests |
//! | `frames`, `head` | WebSocket frames; heads of HTTP answers |
//! | `stamp`, `sequence` | numbers in messages, and what they prove |

mod frames;
mod generator;
mod head;
mod protocol;
mod sequence;
mod stamp;

pub use generator::{ClientEvent, LoadGenerator, Sender};
pub use protocol::{Protocol, Transport};
pub use sequence::{Faults, Sequence};
pub use stamp::Stamp;
