//! Strictness about HTTP/1.1 that hyper does not have.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`Framing`] | where the requests of a connection begin and end: a guard against request smuggling | `framing.rs`, `chunks.rs` |
//! | [`is_host`], [`is_resolved`] | valid hosts, and paths without dot segments | `target.rs` |

mod chunks;
mod framing;
mod target;

pub use framing::{Framing, Unreadable};
pub use target::{is_host, is_resolved};
