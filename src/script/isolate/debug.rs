//! Lets debuggers attach to an isolate.

use std::time::Instant;

use deno_core::ModuleSpecifier;

use super::Isolate;
use super::functions::Function;
use crate::metrics::WorkerId;
use crate::script::Inspector;
use liveline_proto::OwnerId;

impl Isolate {
    /// Lists the isolate as a target of debuggers, before it loads handlers.
    pub(crate) fn list(&self, inspector: &Inspector, owner: OwnerId, worker: WorkerId) {
        let url = ModuleSpecifier::from_directory_path(&self.project).map(String::from).unwrap_or_default();
        let listed = inspector.list(&mut self.runtime.borrow_mut(), owner, worker, url, &self.debug_time);
        self.listed.replace(Some(listed));
        self.loader.embed_source_maps();
        self.enter(|scope, functions| {
            functions.call(scope, Function::MirrorConsole, &[]);
        });
    }

    /// The last time at which a debugger was attached: now, if one is. Limits of time begin then.
    pub(crate) fn last_debugged(&self) -> Option<Instant> {
        self.debug_time.last()
    }

    /// Waits for a debugger, if the first code is to do that.
    pub(super) fn wait_for_debugger(&self) {
        if let Some(listed) = &*self.listed.borrow() {
            listed.wait();
        }
    }
}
