//! Code that is loaded again in the isolate that serves, so that modules that have not changed keep their state: for
//! dialects whose applications can run beside their successors (see [`Dialect::keeps_modules`]).
//!
//! [`Dialect::keeps_modules`]: crate::dialect::Dialect::keeps_modules

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Worker;
use super::pool::Code;
use super::remote::Remote;
use super::worker_thread::Loaded;
use crate::config::Config;
use crate::dialect;
use crate::router::{Layer, PublicFiles, Routes};
use crate::script::{Site, Stall};
use liveline_compiler::Diagnostic;

/// An order to load code in the isolate that serves.
pub(super) struct Renewal {
    pub code: Arc<Code>,
    /// Gets the outcome of the load; `None` if the code needs a fresh isolate. If the receiver is dropped, the load is
    /// cancelled.
    pub loaded: oneshot::Sender<Option<Loaded>>,
    /// Once the code has loaded: it is to serve, and the sender is used when it does. If nothing comes, it is dropped.
    pub serve: oneshot::Receiver<oneshot::Sender<()>>,
}

impl Renewal {
    /// Loads the code, and lets it serve if that is wanted.
    pub(super) async fn carry_out(self, worker: Rc<Worker>, remote: Arc<Remote>) {
        let Renewal { code, mut loaded, serve } = self;
        let isolate = &worker.isolate;
        let Some(loading) = isolate.begin_again(code.sources.clone()) else {
            let _ = loaded.send(None);
            return;
        };
        let site = site_of(&worker.config, &code);
        let stalled = |stall: &Stall| {
            if stall.is_worth_a_line() {
                tracing::warn!("{stall}");
            }
            if let Some(pool) = worker.pool.upgrade() {
                pool.loading_stalled(isolate.files(), stall.to_string());
            }
        };
        let no_file = |_: PathBuf| {};
        let result = tokio::select! {
            result = isolate.load_again(&site, no_file, stalled) => result,
            () = loaded.closed() => Err(vec![Diagnostic::new("the load was cancelled")]),
        };
        let is_loaded = result.is_ok();
        let files = isolate.files();
        let (imports, exports) = (isolate.imports(), isolate.exports());
        let _ = loaded.send(Some(Loaded { files, is_stuck: false, imports, exports, result }));
        match serve.await {
            Ok(serves) if is_loaded => {
                isolate.start_again(&site, &loading);
                remote.set_code(code);
                let _ = serves.send(());
            }
            _ => isolate.abandon(loading),
        }
    }
}

/// The served folder of some code.
pub(super) fn site_of(config: &Config, code: &Code) -> Site {
    Site {
        routes: code.routes.clone(),
        files: PublicFiles::new(config.layout.public.as_deref(), config.files, &code.settings.private),
        dev: config.dev.clone(),
        environment: code.environment.clone(),
        settings: code.settings.clone(),
        tests_triggers: config.tests_triggers,
        is_stand_in: code.is_stand_in,
        is_first: code.is_first,
    }
}

impl Code {
    /// Whether this code can be loaded in the isolate that runs `before`: nothing differs but the text of modules.
    pub(super) fn can_follow(&self, before: &Code) -> bool {
        let keeps = |routes: &Routes| {
            let handlers = routes.handlers();
            !handlers.is_empty()
                && handlers.iter().all(|handler| {
                    handler.layer == Layer::Server && dialect::named(handler.dialect).keeps_modules()
                })
        };
        let pages = |routes: &Routes| routes.pages().iter().map(|page| page.path.clone()).collect::<Vec<_>>();
        !self.is_stand_in
            && !before.is_stand_in
            && keeps(&self.routes)
            && self.routes.handlers() == before.routes.handlers()
            && pages(&self.routes) == pages(&before.routes)
            && self.routes.nodes().len() == before.routes.nodes().len()
            && self.environment == before.environment
            && self.settings == before.settings
    }
}
