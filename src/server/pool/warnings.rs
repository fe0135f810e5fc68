//! What is probably not meant in code that loads: in development, the developer is told.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Pool, lock};
use crate::dialect::{self, Exports, HandlerFacts};
use crate::router::{Handler, Layer};
use crate::script::survey::Survey;
use liveline_compiler::Diagnostic;

impl Pool {
    /// Exports of the code that serves which answer no requests, files that look like handlers and are none, and settings
    /// that nothing reads. Empty except in development. Reads the folders of the project, so it takes some milliseconds.
    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        let code = self.current.load().first().and_then(|worker| worker.remote.code());
        let Some(code) = code.filter(|code| !code.is_stand_in) else { return Vec::new() };
        let (exports, layout) = (lock(&self.last_load.exports).clone(), &self.config.layout);
        let imported: BTreeSet<_> = lock(&self.last_load.files).iter().cloned().collect();
        let mut warnings = Vec::new();
        let handlers = code.routes.handlers().iter().filter(|handler| handler.layer == Layer::Server);
        for (handler, exports) in handlers.filter_map(|it| Some((it, exports.get(&it.id)?))) {
            warnings.extend(of_handler(handler, exports, &layout.project));
        }
        warnings.extend(dialect::explain_folder(layout, &code.routes, &imported));
        warnings
    }
}

/// What is wrong with the exports of a handler. Its text is parsed only to find the places of what is wrong.
fn of_handler(handler: &Handler, exports: &Exports, project: &Path) -> Vec<Diagnostic> {
    let dialect = dialect::named(handler.dialect);
    let known = HandlerFacts { file: &handler.path, exports, facts: None, loads: true };
    if dialect.explain(&known).problems.is_empty() {
        return Vec::new();
    }
    let facts = Survey::of(project).facts(&handler.path);
    dialect.explain(&HandlerFacts { facts: facts.as_ref(), ..known }).problems
}
