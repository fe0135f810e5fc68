//! Loads code again in the isolate that runs the code before, so that modules that have not changed keep their state.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use deno_core::v8;

use super::Isolate;
use super::functions::Function;
use crate::script::loader::Before;
use crate::script::site::Site;
use crate::script::sources::Sources;
use crate::script::stall::Stall;
use crate::script::values::string;
use liveline_compiler::Diagnostic;

/// Code that has loaded beside the code that runs, and does not get requests yet. It is dropped with
/// [`Isolate::abandon`].
pub(crate) struct Loading {
    before: Before,
    code: u64,
}

impl Isolate {
    /// Begins to load code again; `None` if it needs an isolate of its own. Then [`Isolate::load_again`] loads it.
    pub(crate) fn begin_again(&self, sources: Arc<Sources>) -> Option<Loading> {
        if !self.keeps_modules() {
            return None;
        }
        let code = sources.number();
        let (before, renewed) = self.loader.renew(sources, &self.required_files())?;
        self.forget_modules(Some(&renewed));
        Some(Loading { before, code })
    }

    /// Loads the handlers again, while the code before goes on. Ends with [`Isolate::start_again`] or
    /// [`Isolate::abandon`].
    pub(crate) async fn load_again(
        &self,
        site: &Site,
        loads: impl Fn(PathBuf),
        stalled: impl Fn(&Stall),
    ) -> Result<(), Vec<Diagnostic>> {
        self.load_handlers(site, loads, stalled).await
    }

    /// The code that has loaded gets requests from now on. The code before goes on with what it has begun.
    pub(crate) fn start_again(&self, site: &Site, loading: &Loading) {
        self.with_exchanges(|exchanges| exchanges.set_site(Box::new(site.clone()), loading.code));
        self.start(site);
    }

    /// The code did not load, or is not wanted any more.
    pub(crate) fn abandon(&self, loading: Loading) {
        self.loader.restore(loading.before);
        self.forget_modules(None);
    }

    /// Whether the code that runs can be loaded again beside itself.
    fn keeps_modules(&self) -> bool {
        let mut keeps = false;
        self.enter(|scope, functions| {
            keeps = functions.call(scope, Function::KeepsModules, &[]).is_some_and(|keeps| keeps.is_true());
        });
        keeps
    }

    /// The files that CommonJS modules have required, each behind the file that did.
    fn required_files(&self) -> Vec<[PathBuf; 2]> {
        let mut flat = Vec::new();
        self.enter(|scope, functions| {
            let list = functions.call(scope, Function::RequiredFiles, &[]);
            let Some(list) = list.and_then(|list| v8::Local::<v8::Array>::try_from(list).ok()) else {
                return;
            };
            let text = |index| Some(list.get_index(scope, index)?.to_rust_string_lossy(scope));
            flat = (0..list.length()).filter_map(text).collect();
        });
        flat.chunks_exact(2).map(|pair| [PathBuf::from(&pair[0]), PathBuf::from(&pair[1])]).collect()
    }

    /// The CommonJS modules of these files are run anew when they are required next. Without files, those that were
    /// forgotten last are known again.
    fn forget_modules(&self, files: Option<&HashSet<PathBuf>>) {
        self.enter(|scope, functions| {
            let files = match files {
                Some(files) => {
                    let files: Vec<_> =
                        files.iter().map(|file| string(scope, &file.to_string_lossy())).collect();
                    v8::Array::new_with_elements(scope, &files).into()
                }
                None => v8::null(scope).into(),
            };
            functions.call(scope, Function::ForgetModules, &[files]);
        });
    }
}
