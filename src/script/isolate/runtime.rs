//! The two kinds of engine that an isolate is made around.

use std::ops::{Deref, DerefMut};

use deno_core::{JsRuntime, JsRuntimeForSnapshot};

/// An engine with the host's JavaScript.
pub(super) enum Runtime {
    /// It loads handlers and serves.
    Serving(JsRuntime),
    /// Its heap is kept, and later isolates start from it.
    Kept(JsRuntimeForSnapshot),
}

impl Deref for Runtime {
    type Target = JsRuntime;

    fn deref(&self) -> &JsRuntime {
        match self {
            Runtime::Serving(runtime) => runtime,
            Runtime::Kept(runtime) => runtime,
        }
    }
}

impl DerefMut for Runtime {
    fn deref_mut(&mut self) -> &mut JsRuntime {
        match self {
            Runtime::Serving(runtime) => runtime,
            Runtime::Kept(runtime) => runtime,
        }
    }
}
