//! The phase of an exchange, and how it ended, for `exchange.js`.

use deno_core::v8;

use liveline_proto::{Close, ExchangeId};

/// An exchange that ended in the current turn. Passed to `exchange.js` when the turn is over.
pub(crate) struct Ended {
    pub id: ExchangeId,
    /// `None` until the first turn of the exchange has returned its object.
    pub object: Option<v8::Global<v8::Object>>,
    /// The close that the port of the exchange emits.
    pub close: Close,
    /// Whether it ended because all work was done, and not by a failure or from outside.
    pub is_complete: bool,
}

/// The phase of an exchange, numbered as in `exchange.js`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ext) enum Phase {
    /// Nothing was sent.
    Waiting,
    /// Something was sent, which decides the HTTP answer.
    Live,
    /// The client has joined the line.
    Joined,
    /// Everything is done.
    Complete,
    /// It failed, or was ended from outside.
    Over,
}
