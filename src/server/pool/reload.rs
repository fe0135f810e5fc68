//! Loading code: a new generation of workers takes the place of the one that serves.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::{Pool, finished, lock};
use crate::browser::BrowserFiles;
use crate::dialect::{self, Exports, Settings};
use crate::ext::{Mode, Variables, packages};
use crate::metrics::WorkerId;
use crate::router::{Layer, Routes};
use crate::script::{Sources, read_ahead};
use crate::server::mailbox::Mail;
use crate::server::renewal::Renewal;
use crate::server::route_files::RouteFiles;
use crate::server::worker_thread::{Handle, Loaded};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::EXTENSIONS;

/// How long a reload in development waits until the old code's idle connections have moved; a handler may spin there.
const PASS_ON_TIME: Duration = Duration::from_secs(2);

/// The code of one generation, which its workers load, and workers that replace one of them.
pub(crate) struct Code {
    pub routes: Arc<Routes>,
    pub browser: Arc<BrowserFiles>,
    pub sources: Arc<Sources>,
    pub environment: Variables,
    pub settings: Arc<Settings>,
    /// There is no code: requests are answered with the errors of the code that does not load.
    pub is_stand_in: bool,
    /// No code has served before.
    pub is_first: bool,
    /// The imports of each file that browsers get.
    pub imports: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Code {
    /// What was read of files that have not changed since `before` was read is not read and translated again.
    fn keep_unchanged(&self, before: &Code, extent: Extent<'_>) {
        let (files, resolves_alike) = match extent {
            Extent::All => return,
            Extent::Files(files) => (files, false),
            Extent::Contents(files) => (files, true),
        };
        // Files with settings decide how others are translated. An isolate that loads code again itself compares all
        // that it has read.
        let is_page = |file: &Path| file.extension().is_some_and(|extension| extension == "html");
        let has_no_settings = |file: &PathBuf| is_code(file) || is_page(file) || has_no_extension(file);
        if self.settings == before.settings
            && self.environment == before.environment
            && !dialect::any_keeps_modules(&self.routes)
            && !dialect::any_keeps_modules(&before.routes)
            && files.iter().all(has_no_settings)
        {
            self.sources.carry_unchanged(&before.sources, files, resolves_alike);
        }
    }
}

/// Whether a file, by its name, holds code.
fn is_code(file: &Path) -> bool {
    file.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

/// Whether a path may be that of a folder.
fn has_no_extension(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    path.extension().is_none() && !is_hidden
}

/// Why code is loaded.
pub(crate) enum Trigger<'a> {
    /// Because it was asked for. A failure counts in the metrics.
    Request,
    /// Because files changed. A failure does not count.
    Change {
        /// Called with whether any file was empty, which is how most programs begin to write one; if it returns false,
        /// the files are not complete, and the load is dropped.
        is_complete: &'a dyn Fn(bool) -> bool,
        extent: Extent<'a>,
    },
}

/// How much may differ from the code that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent<'a> {
    /// Everything.
    All,
    /// These files and folders may be new, gone or changed.
    Files(&'a HashSet<PathBuf>),
    /// Only the content of these files.
    Contents(&'a HashSet<PathBuf>),
}

/// The result of a reload.
pub(crate) struct Reloaded {
    pub handlers: usize,
    pub took: Duration,
    /// The files of the code before.
    pub changed_from: Arc<RouteFiles>,
}

/// What is known of the code that was loaded last, or is being loaded.
#[derive(Default)]
pub(super) struct LastLoad {
    pub(super) files: Mutex<HashSet<PathBuf>>,
    /// The imports of each file of the server.
    imports: Mutex<HashMap<PathBuf, Vec<PathBuf>>>,
    /// The exports of each handler of the server by its id, in development.
    pub(super) exports: Mutex<HashMap<u32, Exports>>,
    /// The files of the code that serves.
    route_files: Mutex<Arc<RouteFiles>>,
    /// Code has loaded at least once.
    has_code: AtomicBool,
    stalled: Notify,
    /// What the load waits for.
    stall: Mutex<String>,
    /// The code runs on and cannot be stopped.
    is_stuck: AtomicBool,
}

/// Workers whose code loads or has loaded. Dropping this stops them, which also happens when the load is cancelled.
#[derive(Default)]
struct Candidates(Vec<Arc<Handle>>);

impl Candidates {
    /// The workers, which go on: they serve from now on.
    fn serving(mut self) -> Vec<Arc<Handle>> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Candidates {
    fn drop(&mut self) {
        for worker in &self.0 {
            let _ = worker.mailbox.send(Mail::Stop);
        }
    }
}

impl Pool {
    /// Loads the code anew and lets it serve. Fails with every error in the code; the old code then goes on serving.
    /// Dropping the future cancels the load.
    pub(crate) async fn reload(&self, trigger: Trigger<'_>) -> Result<Reloaded, Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let is_first = !self.has_code();
        let reloaded = self.next_generation(&trigger).await;
        let counts = !is_first && (reloaded.is_ok() || matches!(trigger, Trigger::Request));
        if let Some(metrics) = self.config.metrics.as_ref().filter(|_| counts) {
            metrics.reloaded(reloaded.is_ok());
        }
        reloaded
    }

    async fn next_generation(&self, trigger: &Trigger<'_>) -> Result<Reloaded, Vec<Diagnostic>> {
        let began = Instant::now();
        // Its isolate starts while the code is read.
        self.start_spare();
        let before = self.current.load().first().and_then(|worker| worker.remote.code());
        let before = before.filter(|before| !before.is_stand_in);
        let extent = match trigger {
            Trigger::Change { extent, .. } => *extent,
            Trigger::Request => Extent::All,
        };
        let known = match (&before, extent) {
            (Some(before), Extent::Contents(files)) => self.changed_in(before, files),
            _ => None,
        };
        let code = match known {
            Some(code) => code,
            None => self.read().inspect_err(|_| self.end_unused_spare())?,
        };
        let handlers = code.routes.handlers().iter().filter(|handler| handler.layer == Layer::Server).count();
        let check = || match trigger {
            Trigger::Change { is_complete, .. } if !is_complete(code.sources.has_empty()) => {
                Err(vec![Diagnostic::new("the files changed while they were loaded")])
            }
            _ => Ok(()),
        };
        if let Some(renewed) = self.renew(&code, check).await {
            renewed?;
            return Ok(Reloaded { handlers, took: began.elapsed(), changed_from: self.put_files(&code) });
        }
        if let Some(before) = before {
            // This looks at many files, and live lines need the thread.
            tokio::task::block_in_place(|| code.keep_unchanged(&before, extent));
        }
        let workers = self.load(&code).await?;
        check()?;
        let changed_from = self.put_files(&code);
        self.last_load.has_code.store(true, Ordering::Relaxed);
        let serving = Arc::new(workers.serving());
        let old = self.current.swap(serving.clone());
        self.config.actors.serve(serving.iter().map(|worker| worker.owner));
        let retiring: Vec<_> = old.iter().map(|worker| self.retire(worker.clone())).collect();
        let took = began.elapsed();
        self.prepare_spare();
        if self.config.mode == Mode::Development {
            // A page that is notified of the new code and asks at once must not get an answer of the old code.
            let passed_on = async {
                for retiring in retiring {
                    let _ = retiring.await;
                }
            };
            let _ = tokio::time::timeout(PASS_ON_TIME, passed_on).await;
        }
        Ok(Reloaded { handlers, took, changed_from })
    }

    /// Keeps the files of the code that serves from now on. Returns those of the code before.
    fn put_files(&self, code: &Code) -> Arc<RouteFiles> {
        let files = RouteFiles::of(code, std::mem::take(&mut *lock(&self.last_load.imports)));
        std::mem::replace(&mut *lock(&self.last_load.route_files), Arc::new(files))
    }

    /// Loads the code in the isolate that serves, so that modules that have not changed keep their state. `None` if it
    /// needs a fresh isolate. `check` decides at last whether the code is to serve.
    async fn renew(
        &self,
        code: &Arc<Code>,
        check: impl Fn() -> Result<(), Vec<Diagnostic>>,
    ) -> Option<Result<(), Vec<Diagnostic>>> {
        if self.config.mode != Mode::Development {
            return None;
        }
        let workers = self.current.load_full();
        // With several, one might load the code that another one cannot.
        let [worker] = workers.as_slice() else { return None };
        if worker.remote.is_lost() || !worker.remote.code().is_some_and(|before| code.can_follow(&before)) {
            return None;
        }
        let ((loaded, loading), (serve, serving)) = (oneshot::channel(), oneshot::channel());
        let _ = worker.mailbox.send(Mail::Renew(Renewal { code: code.clone(), loaded, serve: serving }));
        let Loaded { files, imports, exports, result, .. } = tokio::select! {
            loaded = loading => loaded.ok()??,
            () = worker.remote.lost() => return None,
        };
        lock(&self.last_load.files).extend(files);
        if let Err(failures) = result.and_then(|()| check()) {
            return Some(Err(failures));
        }
        *lock(&self.last_load.imports) = imports;
        *lock(&self.last_load.exports) = exports;
        let (serves, starts) = oneshot::channel();
        let _ = serve.send(serves);
        starts.await.ok().map(Ok)
    }

    /// Serves without code until some has loaded: every request is answered with the errors of the code. Does not wait for
    /// a load that is under way.
    pub(crate) async fn stand_in(&self) -> Result<(), Vec<Diagnostic>> {
        let code = tokio::task::block_in_place(|| {
            let (layout, routes) = (&self.config.layout, Routes::none());
            let (browser, imports) = BrowserFiles::build(layout, &routes);
            let (routes, browser, sources) = (Arc::new(routes), Arc::new(browser?), Arc::default());
            let environment = Variables::default();
            let is_stand_in = true;
            Ok::<_, Vec<Diagnostic>>(Arc::new(Code {
                routes,
                browser,
                sources,
                environment,
                settings: Arc::default(),
                is_stand_in,
                is_first: false,
                imports,
            }))
        })?;
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let (worker, loading) = self.begin_load(&code, WorkerId { worker: 0, generation }, false)?;
        let worker = Candidates(vec![worker]);
        finished(loading).await.result?;
        let mut stands_in = false;
        self.current.rcu(|workers| {
            stands_in = workers.is_empty();
            if stands_in { Arc::new(worker.0.clone()) } else { workers.clone() }
        });
        if stands_in {
            self.config.actors.serve(worker.0.iter().map(|worker| worker.owner));
            worker.serving();
        }
        Ok(())
    }

    /// Whether any code has loaded so far.
    pub(crate) fn has_code(&self) -> bool {
        self.last_load.has_code.load(Ordering::Relaxed)
    }

    /// The files that the code that serves consists of.
    pub(crate) fn route_files(&self) -> Arc<RouteFiles> {
        lock(&self.last_load.route_files).clone()
    }

    /// Scans the routes and compiles what browsers run. Handlers are read when they load.
    fn read(&self) -> Result<Arc<Code>, Vec<Diagnostic>> {
        // This reads and compiles, and live lines need the thread.
        tokio::task::block_in_place(|| {
            let layout = &self.config.layout;
            // Also for a configuration that is wrong: the change that mends it has to be noticed.
            lock(&self.last_load.files).extend(layout.wrangler.clone());
            let (routes, settings) = dialect::read(layout)?;
            for page in routes.pages() {
                // An error of a page is the answer to requests for it.
                let _ = page.read();
            }
            let (browser, imports) = BrowserFiles::build(layout, &routes);
            // Also for code that does not load: the change that mends it has to be noticed.
            self.put_known_files(&routes, &settings, &imports);
            let environment = self.config.environment.read()?;
            Ok(Arc::new(Code {
                routes: Arc::new(routes),
                browser: Arc::new(browser?),
                sources: Arc::default(),
                environment,
                settings: Arc::new(settings),
                is_stand_in: false,
                is_first: !self.has_code(),
                imports,
            }))
        })
    }

    /// The code in which nothing differs from `before` but the content of some files of the server, found without a look
    /// at any other file. `None` if the change of these files may be of more than that.
    fn changed_in(&self, before: &Code, files: &HashSet<PathBuf>) -> Option<Arc<Code>> {
        let layout = &self.config.layout;
        let Code { routes, browser, environment, settings, imports, .. } = before;
        let is_of_server_only = |file: &PathBuf| {
            before.sources.has_read(file)
                && is_code(file)
                && !packages::holds(file)
                && !imports.contains_key(file)
                && !settings.sources.contains(file)
                && !self.config.environment.paths().any(|path| path == file)
                && file.symlink_metadata().is_ok_and(|it| it.is_file())
        };
        let is_known = files.iter().all(is_of_server_only)
            && tokio::task::block_in_place(|| dialect::finds_the_same(layout, routes, files));
        if !is_known {
            return None;
        }
        self.put_known_files(routes, settings, imports);
        Some(Arc::new(Code {
            routes: routes.clone(),
            browser: browser.clone(),
            sources: Arc::default(),
            environment: environment.clone(),
            settings: settings.clone(),
            is_stand_in: false,
            is_first: false,
            imports: imports.clone(),
        }))
    }

    /// Keeps which files decide about the code that is about to load, besides its modules.
    fn put_known_files(
        &self,
        routes: &Routes,
        settings: &Settings,
        imports: &HashMap<PathBuf, Vec<PathBuf>>,
    ) {
        let mut files: HashSet<PathBuf> = imports.keys().cloned().collect();
        files.extend(routes.page_files());
        files.extend(self.config.environment.paths().cloned());
        files.extend(settings.sources.iter().cloned());
        *lock(&self.last_load.files) = files;
    }

    /// Loads the code in all workers, side by side. If one fails, all of them end.
    async fn load(&self, code: &Arc<Code>) -> Result<Candidates, Vec<Diagnostic>> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        self.last_load.is_stuck.store(false, Ordering::Relaxed);
        if let Some(inspector) = &self.config.inspector {
            // Code of a load that was cancelled may be paused, or wait for a debugger.
            let serving: Vec<_> = self.current.load().iter().map(|worker| worker.owner).collect();
            inspector.retain(&serving);
        }
        let mut workers = Candidates::default();
        let mut loading = Vec::new();
        for worker in 0..self.config.workers {
            let logs_stalls = worker == 0;
            let (worker, loaded) = self.begin_load(code, WorkerId { worker, generation }, logs_stalls)?;
            workers.0.push(worker);
            loading.push(loaded);
        }
        // In development, later isolates have started before.
        let has_time = code.is_first || self.config.mode != Mode::Development;
        let reading = has_time.then(|| {
            let (config, code) = (self.config.clone(), code.clone());
            let read = move || read_ahead(&config.access, &code.routes, &code.settings, &code.sources);
            self.runtime.spawn_blocking(read)
        });
        let mut result = Ok(());
        for loading in loading {
            let loaded = finished(loading).await;
            if !loaded.imports.is_empty() {
                // The same for all of them.
                *lock(&self.last_load.imports) = loaded.imports;
            }
            if !loaded.exports.is_empty() {
                *lock(&self.last_load.exports) = loaded.exports;
            }
            lock(&self.last_load.files).extend(loaded.files);
            self.last_load.is_stuck.fetch_or(loaded.is_stuck, Ordering::Relaxed);
            result = result.and(loaded.result);
        }
        if let Some(reading) = reading {
            // If it panicked, the isolates have read what it had not.
            let files = reading.await.unwrap_or_default();
            lock(&self.last_load.files).extend(files);
        }
        if result.is_err() {
            workers.0.iter().for_each(|worker| self.detach_debuggers(worker.owner));
        }
        result.map(|()| workers)
    }

    /// Whether the code that was loaded last cannot be stopped. To load it again would not help.
    pub(crate) fn is_stuck(&self) -> bool {
        self.last_load.is_stuck.load(Ordering::Relaxed)
    }

    /// The files of the code that was loaded last.
    pub(crate) fn files(&self) -> HashSet<PathBuf> {
        lock(&self.last_load.files).clone()
    }

    /// The code that is being loaded waits for something: `stall` describes it.
    pub(in crate::server) fn loading_stalled(&self, files: HashSet<PathBuf>, stall: String) {
        lock(&self.last_load.files).extend(files);
        *lock(&self.last_load.stall) = stall;
        self.last_load.stalled.notify_one();
    }

    /// Resolves when code that is being loaded waits for something, with a description. [`Pool::files`] has its files by
    /// then.
    pub(crate) async fn stalled(&self) -> String {
        self.last_load.stalled.notified().await;
        lock(&self.last_load.stall).clone()
    }
}
