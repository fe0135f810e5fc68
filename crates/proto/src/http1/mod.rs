//! What HTTP/1.1 looks like, as far as hyper leaves it open.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`Framing`] | where the requests of a connection begin and end: a second look | `framing.rs`, `chunks.rs` |
//! | [`is_host`], [`is_resolved`] | what may be a host, and a path | `target.rs` |

mod chunks;
mod framing;
mod target;

pub use framing::{Framing, Unreadable};
pub use target::{is_host, is_resolved};
