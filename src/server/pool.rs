//! The workers that serve now, those that finish, and the one that waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, oneshot};

use super::parts::Parts;
use super::worker::{self, Connection, Handle, Loaded, Mail};
use crate::browser::BrowserFiles;
use crate::config::Settings;
use crate::dialect;
use crate::ext::Mode;
use crate::metrics::WorkerId;
use crate::router::{Layer, Routes};
use crate::script::Sources;
use liveline_compiler::Diagnostic;
use liveline_proto::{CloseCode, OwnerId};

/// How many generations may finish their live lines at a time. The oldest beyond that is closed with 1012.
const MAX_RETIRED: usize = 8;

/// How long a reload in development waits for the old code's idle connections; a handler may spin there.
const PASS_ON_TIME: Duration = Duration::from_secs(2);

/// So many isolates lost within a time are worth a word: handlers let strangers do that again and again.
const MANY_LOST: (usize, Duration) = (3, Duration::from_secs(600));

/// All workers of the server.
pub(crate) struct Pool {
    settings: Arc<Settings>,
    runtime: tokio::runtime::Handle,
    itself: Weak<Pool>,
    current: ArcSwap<Vec<Arc<Handle>>>,
    /// A worker with an isolate but without handlers, so that a reload only has to load those.
    spare: Mutex<Option<Handle>>,
    retired: Mutex<VecDeque<Arc<Handle>>>,
    files: Mutex<HashSet<PathBuf>>,
    /// What each file of the server imports of others, as last loaded.
    imports: Mutex<HashMap<PathBuf, Vec<PathBuf>>>,
    /// What the code that serves is made of.
    parts: Mutex<Arc<Parts>>,
    has_code: AtomicBool,
    stalled: Notify,
    /// What the code that is being loaded waits for.
    stall: Mutex<String>,
    /// One change of generation at a time.
    changing: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    /// Times that code was loaded.
    generation: AtomicU64,
    /// Workers whose replacements load.
    replacing: Mutex<HashSet<OwnerId>>,
    /// The code that was loaded last runs on and cannot be stopped.
    is_stuck: AtomicBool,
    /// Isolates that are lost and whose threads still run.
    stuck: AtomicUsize,
    /// When isolates were lost last.
    losses: Mutex<VecDeque<Instant>>,
}

/// The code of one generation: what isolates load that take the place of others of it.
pub(super) struct Code {
    pub routes: Arc<Routes>,
    pub browser: Arc<BrowserFiles>,
    pub sources: Arc<Sources>,
    /// There is none: it serves in place of what does not load.
    pub is_stand_in: bool,
    /// What each file that browsers get imports of others.
    pub imports: HashMap<PathBuf, Vec<PathBuf>>,
}

/// What a reload did.
pub(crate) struct Reloaded {
    pub handlers: usize,
    pub took: Duration,
    /// What the code before was made of.
    pub changed_from: Arc<Parts>,
}

impl Pool {
    /// A pool without code yet: [`Pool::reload`] loads the first generation.
    pub(crate) fn new(settings: Settings) -> Arc<Pool> {
        let runtime = tokio::runtime::Handle::current();
        Arc::new_cyclic(|itself| Pool {
            settings: Arc::new(settings),
            runtime,
            itself: itself.clone(),
            current: ArcSwap::default(),
            spare: Mutex::default(),
            retired: Mutex::default(),
            files: Mutex::default(),
            imports: Mutex::default(),
            parts: Mutex::default(),
            has_code: AtomicBool::new(false),
            stalled: Notify::new(),
            stall: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            replacing: Mutex::default(),
            is_stuck: AtomicBool::new(false),
            stuck: AtomicUsize::new(0),
            losses: Mutex::default(),
        })
    }

    /// What it was made with.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Loads the code anew and lets it serve. Fails with every error in the code; the old code then goes on serving.
    /// Whoever drops the future gives the load up.
    pub(crate) async fn reload(&self) -> Result<Reloaded, Vec<Diagnostic>> {
        self.change(|_| true, true).await
    }

    /// The same, unless by the time it is loaded `is_meant` denies that it is what was meant: somebody may be writing.
    /// It hears whether a file had nothing in it, which is how most writers begin. A failure counts for nothing.
    pub(crate) async fn reload_if(
        &self,
        is_meant: impl Fn(bool) -> bool,
    ) -> Result<Reloaded, Vec<Diagnostic>> {
        self.change(is_meant, false).await
    }

    async fn change(
        &self,
        is_meant: impl Fn(bool) -> bool,
        counts_failure: bool,
    ) -> Result<Reloaded, Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let is_first = !self.has_code();
        let reloaded = self.reload_now(is_meant).await;
        let counts = !is_first && (reloaded.is_ok() || counts_failure);
        if let Some(metrics) = self.settings.metrics.as_ref().filter(|_| counts) {
            metrics.reloaded(reloaded.is_ok());
        }
        reloaded
    }

    async fn reload_now(&self, is_meant: impl Fn(bool) -> bool) -> Result<Reloaded, Vec<Diagnostic>> {
        let began = Instant::now();
        let code = self.read()?;
        let handlers = code.routes.handlers().iter().filter(|handler| handler.layer == Layer::Server).count();
        let workers = self.load(&code).await?;
        let has_empty = code.sources.has_empty();
        if !is_meant(has_empty) {
            workers.iter().for_each(|worker| drop(worker.mailbox.send(Mail::Stop)));
            return Err(vec![Diagnostic::new("the files changed while they were loaded")]);
        }
        let parts = Parts::of(&code, std::mem::take(&mut *lock(&self.imports)));
        let changed_from = std::mem::replace(&mut *lock(&self.parts), Arc::new(parts));
        self.has_code.store(true, Ordering::Relaxed);
        let old = self.current.swap(Arc::new(workers));
        let retiring: Vec<_> = old.iter().map(|worker| self.retire(worker.clone())).collect();
        let took = began.elapsed();
        self.prepare_spare();
        if self.settings.mode == Mode::Development {
            // Who hears of the new code and asks at once is not to be answered by the old.
            let passed_on = async {
                for retiring in retiring {
                    let _ = retiring.await;
                }
            };
            let _ = tokio::time::timeout(PASS_ON_TIME, passed_on).await;
        }
        Ok(Reloaded { handlers, took, changed_from })
    }

    /// Serves without any code, until some has loaded: every request is answered with what is wrong with it. Does not
    /// wait for a load that is under way.
    pub(crate) async fn stand_in(&self) -> Result<(), Vec<Diagnostic>> {
        let code = tokio::task::block_in_place(|| {
            let (layout, routes) = (&self.settings.layout, Routes::none());
            let (browser, imports) = BrowserFiles::build(layout, &routes);
            let (routes, browser, sources) = (Arc::new(routes), Arc::new(browser?), Arc::default());
            Ok::<_, Vec<Diagnostic>>(Arc::new(Code { routes, browser, sources, is_stand_in: true, imports }))
        })?;
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let (worker, loading) = self.begin_load(&code, WorkerId { worker: 0, generation }, false)?;
        finished(loading).await.result?;
        let mut stands_in = false;
        self.current.rcu(|workers| {
            stands_in = workers.is_empty();
            if stands_in { Arc::new(vec![worker.clone()]) } else { workers.clone() }
        });
        if !stands_in {
            let _ = worker.mailbox.send(Mail::Stop);
        }
        Ok(())
    }

    /// Whether any code has loaded so far.
    pub(crate) fn has_code(&self) -> bool {
        self.has_code.load(Ordering::Relaxed)
    }

    /// What the code that serves is made of.
    pub(crate) fn parts(&self) -> Arc<Parts> {
        lock(&self.parts).clone()
    }

    /// Reads what is there. Handlers are read as they load.
    fn read(&self) -> Result<Arc<Code>, Vec<Diagnostic>> {
        // Reads and compiles, which is not for a thread that live lines need.
        tokio::task::block_in_place(|| {
            let layout = &self.settings.layout;
            let routes = dialect::routes(layout).map_err(|error| vec![Diagnostic::new(error.to_string())])?;
            for page in routes.pages() {
                // Whether that went well is told to those who ask for it.
                let _ = page.read();
            }
            let (browser, imports) = BrowserFiles::build(layout, &routes);
            // Also of code that does not load: the change that mends it has to be seen.
            *lock(&self.files) = imports.keys().cloned().collect();
            lock(&self.files).extend(routes.page_files());
            Ok(Arc::new(Code {
                routes: Arc::new(routes),
                browser: Arc::new(browser?),
                sources: Arc::default(),
                is_stand_in: false,
                imports,
            }))
        })
    }

    /// Starts all workers with the same code, side by side. All of them load, or none goes on.
    async fn load(&self, code: &Arc<Code>) -> Result<Vec<Arc<Handle>>, Vec<Diagnostic>> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        self.is_stuck.store(false, Ordering::Relaxed);
        let mut workers = Vec::new();
        let mut loading = Vec::new();
        for worker in 0..self.settings.workers {
            let tells = workers.is_empty();
            let (worker, loaded) = self.begin_load(code, WorkerId { worker, generation }, tells)?;
            workers.push(worker);
            loading.push(loaded);
        }
        let mut result = Ok(());
        for loading in loading {
            let loaded = finished(loading).await;
            if !loaded.imports.is_empty() {
                // All of them load the same.
                *lock(&self.imports) = loaded.imports;
            }
            lock(&self.files).extend(loaded.files);
            self.is_stuck.fetch_or(loaded.is_stuck, Ordering::Relaxed);
            result = result.and(loaded.result);
        }
        if result.is_err() {
            for worker in &workers {
                let _ = worker.mailbox.send(Mail::Stop);
            }
        }
        result.map(|()| workers)
    }

    /// Begins to load the code of this worker in another one.
    fn begin_again(&self, worker: usize, old: &Handle) -> Result<(Arc<Handle>, Loading), Vec<Diagnostic>> {
        let Some(code) = old.outside.code() else {
            return Err(vec![Diagnostic::new("it has not loaded any code")]);
        };
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        self.begin_load(&code, WorkerId { worker, generation }, true)
    }

    /// Puts a fresh worker, with the same code, in place of one that has no room or that has ended.
    pub(super) fn replace(&self, owner: OwnerId) {
        let Some(pool) = self.itself.upgrade() else { return };
        if !lock(&self.replacing).insert(owner) {
            return;
        }
        self.runtime.spawn(async move {
            let replaced = pool.replace_now(owner).await;
            lock(&pool.replacing).remove(&owner);
            if let Err(diagnostics) = replaced {
                for diagnostic in diagnostics {
                    tracing::error!(
                        "the isolate that is to take another's place does not load: {diagnostic}"
                    );
                }
            }
        });
    }

    async fn replace_now(&self, owner: OwnerId) -> Result<(), Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let Some((index, old)) = self.serving(owner) else { return Ok(()) };
        let (fresh, loading) = self.begin_again(index, &old)?;
        finished(loading).await.result?;
        if self.put_in_place(owner, &fresh) {
            self.retire(old);
            tracing::info!("an isolate was replaced");
            self.prepare_spare();
        } else {
            let _ = fresh.mailbox.send(Mail::Stop);
        }
        Ok(())
    }

    /// Puts a fresh worker, with the same code, in place of one whose thread does not come back. From here on it gets
    /// the connections, and serves as soon as it has loaded.
    pub(super) fn replace_lost(&self, owner: OwnerId) {
        let Some((index, old)) = self.serving(owner) else { return };
        let Some(pool) = self.itself.upgrade() else { return };
        let failed = |diagnostics: Vec<Diagnostic>| {
            for diagnostic in diagnostics {
                tracing::error!(
                    "the isolate that is to take the lost one's place does not load, \
                     and is tried again with the next connection: {diagnostic}"
                );
            }
        };
        match self.begin_again(index, &old) {
            Ok((fresh, loading)) => {
                self.put_in_place(owner, &fresh);
                self.runtime.spawn(async move {
                    if let Err(diagnostics) = finished(loading).await.result {
                        failed(diagnostics);
                        // Who waited for it sees that the connection ends.
                        drop(fresh.outside.take_arriving());
                    } else {
                        pool.prepare_spare();
                    }
                });
            }
            Err(diagnostics) => failed(diagnostics),
        }
    }

    /// A worker among those that serve.
    fn serving(&self, owner: OwnerId) -> Option<(usize, Arc<Handle>)> {
        let current = self.current.load();
        let index = current.iter().position(|worker| worker.owner == owner)?;
        Some((index, current[index].clone()))
    }

    /// Puts a worker in another's place, if that serves.
    fn put_in_place(&self, owner: OwnerId, fresh: &Arc<Handle>) -> bool {
        let mut is_done = false;
        self.current.rcu(|workers| {
            let mut workers = Vec::clone(workers);
            let place = workers.iter_mut().find(|worker| worker.owner == owner);
            is_done = place.is_some();
            place.into_iter().for_each(|place| *place = fresh.clone());
            workers
        });
        is_done
    }

    /// An isolate was lost.
    pub(super) fn lost_one(&self) {
        let stuck = self.stuck.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(metrics) = &self.settings.metrics {
            metrics.isolate_lost();
        }
        let (many, time) = MANY_LOST;
        let mut losses = lock(&self.losses);
        losses.push_back(Instant::now());
        losses.retain(|loss| loss.elapsed() < time);
        if losses.len() >= many {
            tracing::error!(
                "{} isolates were lost within {} minutes, and {stuck} of the lost still run: each holds its memory \
                 and its connections' descriptors until its code ends. The handlers named above let clients do that",
                losses.len(),
                time.as_secs() / 60
            );
        }
    }

    /// The thread of an isolate that was lost has ended after all.
    pub(super) fn lost_one_ended(&self) {
        let stuck = self.stuck.fetch_sub(1, Ordering::Relaxed) - 1;
        tracing::info!("the code of a lost isolate has ended; {stuck} still run");
    }

    /// Whether the code that was loaded last runs on and cannot be stopped. To load it again is no help.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    /// Files that the handlers' code, as last loaded, is made of.
    pub(crate) fn files(&self) -> HashSet<PathBuf> {
        lock(&self.files).clone()
    }

    /// These files belong to code that is being loaded and is not done soon.
    pub(super) fn reads(&self, files: HashSet<PathBuf>, stall: String) {
        lock(&self.files).extend(files);
        *lock(&self.stall) = stall;
        self.stalled.notify_one();
    }

    /// Resolves when code that is being loaded waits for something, with what that is; [`Pool::files`] knows its files
    /// then.
    pub(crate) async fn stalled(&self) -> String {
        self.stalled.notified().await;
        lock(&self.stall).clone()
    }

    /// Hands a connection to the worker with the fewest.
    pub(crate) fn accept(&self, connection: Connection) {
        if self.draining.load(Ordering::Relaxed) {
            return;
        }
        let workers = self.current.load();
        let mut by_load: Vec<_> = workers.iter().filter(|worker| !worker.outside.is_lost()).collect();
        by_load.sort_by_key(|worker| (!worker.outside.is_ready(), worker.load.load(Ordering::Relaxed)));
        let mut connections = VecDeque::from([connection]);
        for worker in by_load {
            let count = connections.len();
            for connection in connections.drain(..) {
                worker.outside.send(connection);
            }
            let is_alive = (0..count).all(|_| worker.mailbox.send(Mail::Connection).is_ok());
            if is_alive && !worker.outside.is_lost() {
                return;
            }
            if !is_alive {
                // It ended: somebody has to take its place.
                self.replace(worker.owner);
            }
            // Somebody else gets the connection, and those that came with it.
            connections = worker.outside.take_arriving();
        }
        // Nobody is left but those whose replacements did not load. The connections close.
        for worker in workers.iter().filter(|worker| worker.outside.is_lost()) {
            self.replace(worker.owner);
        }
    }

    /// Closes live lines with 1012, ends handlers' streams of events, and waits until every request is answered, `limit` at most.
    pub(crate) async fn drain(&self, limit: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        self.settings.hub.turn().cut_all(CloseCode::Restart);
        drop(lock(&self.spare).take());
        let workers = self.current.swap(Arc::default());
        for worker in workers.iter() {
            self.retire(worker.clone());
        }
        let retired: Vec<_> = lock(&self.retired).drain(..).collect();
        for worker in &retired {
            let _ = worker.mailbox.send(Mail::EndEvents);
        }
        let ended = async {
            for worker in &retired {
                tokio::select! {
                    () = worker.mailbox.closed() => {}
                    () = worker.outside.lost() => {}
                }
            }
            // Close frames still have to be answered.
            while !self.settings.hub.engine().is_empty() {
                // An answer that was in work may have opened one more.
                self.settings.hub.turn().cut_all(CloseCode::Restart);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!("gave up on what was not finished after {limit:?}");
        }
    }

    fn begin_load(
        &self,
        code: &Arc<Code>,
        id: WorkerId,
        tells: bool,
    ) -> Result<(Arc<Handle>, Loading), Vec<Diagnostic>> {
        let spare = lock(&self.spare).take();
        let worker = match spare {
            Some(worker) => worker,
            None => worker::spawn(self.settings.clone(), self.itself.clone()).map_err(|error| {
                vec![Diagnostic::new(format!("a worker's thread could not start: {error}"))]
            })?,
        };
        let (loaded, loading) = oneshot::channel();
        worker.outside.loads(code.clone(), loaded);
        let _ = worker.mailbox.send(Mail::Load { id, tells });
        Ok((Arc::new(worker), loading))
    }

    fn prepare_spare(&self) {
        if self.settings.mode == Mode::Development && lock(&self.spare).is_none() {
            *lock(&self.spare) = worker::spawn(self.settings.clone(), self.itself.clone()).ok();
        }
    }

    /// Lets a worker finish. What is returned resolves when its idle connections are on their way to others.
    fn retire(&self, worker: Arc<Handle>) -> oneshot::Receiver<()> {
        let (done, passed_on) = oneshot::channel();
        let _ = worker.mailbox.send(Mail::Retire(done));
        let mut retired = lock(&self.retired);
        retired.retain(|worker| !worker.mailbox.is_closed() && !worker.outside.is_lost());
        retired.push_back(worker);
        if retired.len() > MAX_RETIRED
            && let Some(oldest) = retired.pop_front()
        {
            self.settings.hub.unregister(oldest.owner, CloseCode::Restart);
            let _ = oldest.mailbox.send(Mail::Stop);
        }
        passed_on
    }
}

type Loading = oneshot::Receiver<Loaded>;

/// How loading went.
async fn finished(loading: Loading) -> Loaded {
    loading.await.unwrap_or_else(|_| Loaded::failed("the worker ended while it loaded the handlers"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while the pool is locked")
}
