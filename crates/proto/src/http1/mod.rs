//! HTTP/1.1, and HTTP/1.0, as a server speaks it (RFC 9112): one strict parser, bodies, and the bytes of answers.
//!
//! | type | what it is | where |
//! |---|---|---|
//! | [`Connection`] | which bytes are a request, its body or the next request, and what may be sent | `connection.rs` |
//! | [`Head`], [`HeadLimits`] | a request's head: where its parts are, and what they mean for the connection | `head.rs`, `bytes.rs` |
//! | [`HeadError`], [`Flaw`] | why bytes are no head, and why a request must not be served | `head.rs` |
//! | [`Field`], [`Known`], [`Span`] | a line of a head, the names that are recognized, a part of its bytes | `field.rs` |
//! | [`BodyError`] | why bytes are no body | `body.rs`, `chunks.rs` |
//! | [`AnswerHead`], [`Part`] | an answer's status and length; a part of its body | `response.rs` |
//! | [`DateCache`] | the `Date` of answers | `date.rs` |
//! | [`is_host`], [`is_resolved`] | valid hosts, and paths without dot segments | `target.rs` |

mod body;
mod bytes;
mod chunks;
mod connection;
mod date;
mod field;
mod head;
mod response;
mod target;

pub use body::BodyError;
pub use connection::{Connection, Received};
pub use date::DateCache;
pub use field::{Field, Known, Span};
pub use head::{BodyLength, Flaw, Head, HeadError, HeadLimits, Version};
pub use response::{AnswerHead, Part, ShortBody};
pub use target::{is_host, is_resolved};
