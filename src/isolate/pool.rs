//! The workers that serve now, those that finish, and the one that waits.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, oneshot};

use super::Settings;
use super::browser::BrowserTools;
use super::worker::{self, Connection, Handle, Loaded, Mail};
use crate::client::BrowserFiles;
use crate::engine::{CloseCode, OwnerId};
use crate::observe::Place;
use crate::ops::{Diagnostic, Mode};
use crate::router::{Layer, Routes};

/// How many generations may finish their live lines at a time. The oldest beyond that is closed with 1012.
const MAX_RETIRED: usize = 8;

/// All workers of the server.
pub struct Pool {
    settings: Arc<Settings>,
    runtime: tokio::runtime::Handle,
    itself: Weak<Pool>,
    current: ArcSwap<Vec<Arc<Handle>>>,
    /// A worker with an isolate but without handlers, so that a reload only has to load those.
    spare: Mutex<Option<Handle>>,
    retired: Mutex<VecDeque<Arc<Handle>>>,
    files: Mutex<HashSet<PathBuf>>,
    stalled: Notify,
    /// One change of generation at a time.
    changing: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    /// Times that code was loaded.
    generation: AtomicU64,
}

/// What a reload did.
#[derive(Debug)]
pub struct Reloaded {
    pub handlers: usize,
    pub took: Duration,
}

impl Pool {
    /// A pool without code yet: [`Pool::reload`] loads the first generation.
    pub fn new(settings: Settings) -> Arc<Pool> {
        let runtime = tokio::runtime::Handle::current();
        Arc::new_cyclic(|itself| Pool {
            settings: Arc::new(settings),
            runtime,
            itself: itself.clone(),
            current: ArcSwap::default(),
            spare: Mutex::default(),
            retired: Mutex::default(),
            files: Mutex::default(),
            stalled: Notify::new(),
            changing: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            generation: AtomicU64::new(0),
        })
    }

    /// Loads the code anew and lets it serve. Fails with every error in the code; the old code then goes on serving.
    /// Whoever drops the future gives the load up.
    pub async fn reload(&self) -> Result<Reloaded, Vec<Diagnostic>> {
        self.change(|_| true, true).await
    }

    /// The same, unless by the time it is loaded `is_meant` denies that it is what was meant: somebody may be writing.
    /// It hears whether a file had nothing in it, which is how most writers begin. A failure counts for nothing.
    pub async fn reload_if(&self, is_meant: impl Fn(bool) -> bool) -> Result<Reloaded, Vec<Diagnostic>> {
        self.change(is_meant, false).await
    }

    async fn change(
        &self,
        is_meant: impl Fn(bool) -> bool,
        counts_failure: bool,
    ) -> Result<Reloaded, Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let is_first = self.current.load().is_empty();
        let reloaded = self.reload_now(is_meant).await;
        let counts = !is_first && (reloaded.is_ok() || counts_failure);
        if let Some(observer) = self.settings.observer.as_ref().filter(|_| counts) {
            observer.reloaded(reloaded.is_ok());
        }
        reloaded
    }

    async fn reload_now(&self, is_meant: impl Fn(bool) -> bool) -> Result<Reloaded, Vec<Diagnostic>> {
        let began = Instant::now();
        let routes = self.scan()?;
        let handlers = routes.handlers().iter().filter(|handler| handler.layer == Layer::Server).count();
        let (workers, has_empty) = self.load(&routes, 0..self.settings.workers).await?;
        if !is_meant(has_empty) {
            workers.iter().for_each(|worker| drop(worker.mailbox.send(Mail::Stop)));
            return Err(vec![Diagnostic::new("the files changed while they were loaded")]);
        }
        let old = self.current.swap(Arc::new(workers));
        for worker in old.iter() {
            self.retire(worker.clone());
        }
        let took = began.elapsed();
        self.prepare_spare();
        Ok(Reloaded { handlers, took })
    }

    fn scan(&self) -> Result<Arc<Routes>, Vec<Diagnostic>> {
        let scan = || Routes::scan(&self.settings.layout);
        let routes = tokio::task::block_in_place(scan);
        Ok(Arc::new(routes.map_err(|error| vec![Diagnostic::new(error.to_string())])?))
    }

    /// Starts these workers with the same code, side by side. All of them load, or none goes on. Says also whether a
    /// file had nothing in it.
    async fn load(
        &self,
        routes: &Arc<Routes>,
        numbers: Range<usize>,
    ) -> Result<(Vec<Arc<Handle>>, bool), Vec<Diagnostic>> {
        // Reads and compiles, which is not for a thread that live lines need.
        let layout = &self.settings.layout;
        let tools = Arc::new(BrowserTools::of(&layout.project));
        let build = || BrowserFiles::build(layout, routes, tools);
        let (browser, mut files) = tokio::task::block_in_place(build);
        let browser = browser.map(Arc::new).inspect_err(|_| *lock(&self.files) = files.clone())?;
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let mut workers = Vec::new();
        let mut loading = Vec::new();
        for worker in numbers {
            let tells = workers.is_empty();
            let (worker, loaded) = self.begin_load(routes, &browser, Place { worker, generation }, tells)?;
            workers.push(worker);
            loading.push(loaded);
        }
        let (mut result, mut has_empty) = (Ok(()), false);
        for loading in loading {
            let loaded = loading.await.unwrap_or_else(|_| Loaded {
                files: HashSet::new(),
                has_empty: false,
                result: Err(vec![Diagnostic::new("the worker ended while it loaded the handlers")]),
            });
            files.extend(loaded.files);
            has_empty |= loaded.has_empty;
            result = result.and(loaded.result);
        }
        // Also of code that does not load: the change that mends it has to be seen.
        *lock(&self.files) = files;
        if result.is_err() {
            for worker in &workers {
                let _ = worker.mailbox.send(Mail::Stop);
            }
        }
        result.map(|()| (workers, has_empty))
    }

    /// Puts a fresh worker in place of one whose isolate was stopped.
    pub(super) fn replace(&self, owner: OwnerId) {
        let Some(pool) = self.itself.upgrade() else { return };
        self.runtime.spawn(async move {
            if let Err(diagnostics) = pool.replace_now(owner).await {
                for diagnostic in diagnostics {
                    tracing::error!(
                        "the stopped isolate goes on serving, its replacement does not load: {diagnostic}"
                    );
                }
            }
        });
    }

    async fn replace_now(&self, owner: OwnerId) -> Result<(), Vec<Diagnostic>> {
        let _changing = self.changing.lock().await;
        let current = self.current.load_full();
        let Some(index) = current.iter().position(|worker| worker.owner == owner) else { return Ok(()) };
        let (mut fresh, _) = self.load(&self.scan()?, index..index + 1).await?;
        let mut workers = Vec::clone(&current);
        let old = std::mem::replace(&mut workers[index], fresh.remove(0));
        self.current.store(Arc::new(workers));
        self.retire(old);
        tracing::info!("an isolate was replaced");
        self.prepare_spare();
        Ok(())
    }

    /// Files that the handlers' code, as last loaded, is made of.
    pub fn files(&self) -> HashSet<PathBuf> {
        lock(&self.files).clone()
    }

    /// These files belong to code that is being loaded and is not done soon.
    pub(super) fn reads(&self, files: HashSet<PathBuf>) {
        lock(&self.files).extend(files);
        self.stalled.notify_one();
    }

    /// Resolves when code that is being loaded waits for something; [`Pool::files`] knows its files then.
    pub async fn stalled(&self) {
        self.stalled.notified().await;
    }

    /// Hands a connection to the worker with the fewest.
    pub fn accept(&self, connection: Connection) {
        if self.draining.load(Ordering::Relaxed) {
            return;
        }
        let mut mail = Mail::Connection(connection);
        let workers = self.current.load();
        let mut by_load: Vec<_> = workers.iter().collect();
        by_load.sort_by_key(|worker| worker.load.load(Ordering::Relaxed));
        for worker in by_load {
            match worker.mailbox.send(mail) {
                Ok(()) => return,
                Err(unsent) => {
                    // It ended: somebody has to take its place, and somebody else the connection.
                    self.replace(worker.owner);
                    mail = unsent.0;
                }
            }
        }
    }

    /// Closes live lines with 1012 and waits until every request is answered, `limit` at most.
    pub async fn drain(&self, limit: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        self.settings.hub.cut_all(CloseCode::Restart);
        drop(lock(&self.spare).take());
        let workers = self.current.swap(Arc::default());
        for worker in workers.iter() {
            self.retire(worker.clone());
        }
        let retired: Vec<_> = lock(&self.retired).drain(..).collect();
        let ended = async {
            for worker in &retired {
                worker.mailbox.closed().await;
            }
            // Close frames still have to be answered.
            while !self.settings.hub.is_empty() {
                // An answer that was in work may have opened one more.
                self.settings.hub.cut_all(CloseCode::Restart);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!("gave up on what was not finished after {limit:?}");
        }
    }

    fn begin_load(
        &self,
        routes: &Arc<Routes>,
        browser: &Arc<BrowserFiles>,
        place: Place,
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
        let (routes, browser) = (routes.clone(), browser.clone());
        let _ = worker.mailbox.send(Mail::Load { routes, browser, place, tells, loaded });
        Ok((Arc::new(worker), loading))
    }

    fn prepare_spare(&self) {
        if self.settings.mode == Mode::Development && lock(&self.spare).is_none() {
            *lock(&self.spare) = worker::spawn(self.settings.clone(), self.itself.clone()).ok();
        }
    }

    fn retire(&self, worker: Arc<Handle>) {
        let _ = worker.mailbox.send(Mail::Retire);
        let mut retired = lock(&self.retired);
        retired.retain(|worker| !worker.mailbox.is_closed());
        retired.push_back(worker);
        if retired.len() > MAX_RETIRED
            && let Some(oldest) = retired.pop_front()
        {
            self.settings.hub.unregister(oldest.owner, CloseCode::Restart);
            let _ = oldest.mailbox.send(Mail::Stop);
        }
    }
}

type Loading = oneshot::Receiver<Loaded>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while the pool is locked")
}
