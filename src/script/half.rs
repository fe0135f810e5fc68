//! Whether isolates have Node's half: `node:` modules, CommonJS, Node's globals, all of Web Crypto.
//!
//! It adds about a thousand functions to an isolate. So the process starts without it, and the first module that needs
//! it makes every isolate from then on have it: the isolate that meets the module is thrown away before any handler ran,
//! and its successor loads the code again.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_NEEDED: AtomicBool = AtomicBool::new(false);

/// What an isolate is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// The web's APIs and the host's own.
    Plain,
    /// The same and those of Node.
    #[cfg(feature = "node")]
    Node,
}

impl Half {
    /// What the next isolate is made of.
    pub(super) fn next() -> Half {
        #[cfg(feature = "node")]
        if IS_NEEDED.load(Ordering::Relaxed) {
            return Half::Node;
        }
        Half::Plain
    }
}

/// From now on isolates have Node's half, if the build has it.
pub(crate) fn need_node() {
    IS_NEEDED.store(true, Ordering::Relaxed);
}
