//! How far an exchange has come, and how it ended, as JavaScript is told.

use deno_core::v8;

use liveline_proto::{Close, ExchangeId};

/// An exchange that ended in the turn that runs. `exchange.js` gets it when the turn is over.
pub(crate) struct Ended {
    pub id: ExchangeId,
    /// Absent until the exchange's first turn has left its object.
    pub object: Option<v8::Global<v8::Object>>,
    /// What the exchange's port gets as its `close`.
    pub close: Close,
    /// It ended because everything was done, and not by a failure or from outside.
    pub is_complete: bool,
}

/// How far an exchange has come, as `exchange.js` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ext) enum Phase {
    /// Nothing was sent.
    Waiting,
    /// Something was sent, which decides HTTP's answer.
    Live,
    /// The client has joined the line.
    Joined,
    /// Everything is done.
    Complete,
    /// It failed, or was ended from outside.
    Over,
}
