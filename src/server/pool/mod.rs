//! The workers that serve now, those that finish, and the spare one.

mod reload;
mod replacement;
mod warnings;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use self::reload::LastLoad;
use self::replacement::Losses;
use super::accepted::Accepted;
use super::mailbox::Mail;
use super::worker_thread::{self, Handle, Loaded};
use crate::config::Config;
use crate::ext::Mode;
use crate::metrics::WorkerId;
use liveline_compiler::Diagnostic;
use liveline_proto::{CloseCode, OwnerId};

pub(crate) use self::reload::{Code, Extent, Reloaded, Trigger};

/// How many generations may finish their live lines at a time. The oldest beyond that is closed with 1012.
const MAX_RETIRED: usize = 16;

/// How long after a load the next spare worker starts.
const SPARE_DELAY: Duration = Duration::from_millis(50);

/// All workers of the server.
pub(crate) struct Pool {
    config: Arc<Config>,
    runtime: tokio::runtime::Handle,
    itself: Weak<Pool>,
    current: ArcSwap<Vec<Arc<Handle>>>,
    /// A worker with an isolate but without handlers, so that a reload only has to load those.
    spare: Mutex<Option<Handle>>,
    retired: Mutex<VecDeque<Arc<Handle>>>,
    /// Held while the workers that serve change.
    changing: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    /// How often code was loaded.
    generation: AtomicU64,
    last_load: LastLoad,
    /// Workers whose replacements load.
    replacing: Mutex<HashSet<OwnerId>>,
    losses: Losses,
}

impl Pool {
    /// A pool without code: [`Pool::reload`] loads the first generation.
    pub(crate) fn new(config: Config) -> Arc<Pool> {
        let runtime = tokio::runtime::Handle::current();
        Arc::new_cyclic(|itself| Pool {
            config: Arc::new(config),
            runtime,
            itself: itself.clone(),
            current: ArcSwap::default(),
            spare: Mutex::default(),
            retired: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            last_load: LastLoad::default(),
            replacing: Mutex::default(),
            losses: Losses::default(),
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Sends a connection to the worker that serves the fewest.
    pub(crate) fn accept(&self, connection: Accepted) {
        if self.draining.load(Ordering::Relaxed) {
            return;
        }
        let workers = self.current.load();
        let mut by_load: Vec<_> = workers.iter().filter(|worker| !worker.remote.is_lost()).collect();
        by_load.sort_by_key(|worker| (!worker.remote.is_ready(), worker.load.load(Ordering::Relaxed)));
        let mut connections = VecDeque::from([connection]);
        for worker in by_load {
            let count = connections.len();
            for connection in connections.drain(..) {
                worker.remote.send(connection);
            }
            let is_alive = (0..count).all(|_| worker.mailbox.send(Mail::Connection).is_ok());
            if is_alive && !worker.remote.is_lost() {
                return;
            }
            if !is_alive {
                // Its thread has ended.
                self.replace(worker.owner);
            }
            // The next worker gets the connection, and those that arrived with it.
            connections = worker.remote.take_arriving();
        }
        // The only workers left are those whose replacements did not load. The connections close.
        for worker in workers.iter().filter(|worker| worker.remote.is_lost()) {
            self.replace(worker.owner);
        }
    }

    /// Closes live lines with 1012, ends handlers' streams of events, and waits until every request is answered, `limit` at most.
    pub(crate) async fn drain(&self, limit: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        self.config.hub.turn().cut_all(CloseCode::Restart);
        self.config.topics.stop();
        self.config.actors.wind_down();
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
                    () = worker.remote.lost() => {}
                }
            }
            // The clients of lines still answer the close frames.
            while !self.config.hub.engine().is_empty() {
                // A request that was being answered may have opened another line.
                self.config.hub.turn().cut_all(CloseCode::Restart);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.config.topics.feeds_ended().await;
        };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::warn!("requests or lines that were not finished after {limit:?} are dropped");
        }
    }

    /// Lets a worker load code, the spare one if it is there.
    fn begin_load(
        &self,
        code: &Arc<Code>,
        id: WorkerId,
        logs_stalls: bool,
    ) -> Result<(Arc<Handle>, Loading), Vec<Diagnostic>> {
        let spare = lock(&self.spare).take();
        let worker = match spare {
            Some(worker) => worker,
            None => worker_thread::spawn(self.config.clone(), self.itself.clone()).map_err(|error| {
                vec![Diagnostic::new(format!("a worker's thread could not start: {error}"))]
            })?,
        };
        let (loaded, loading) = oneshot::channel();
        worker.remote.begin_load(code.clone(), loaded);
        let _ = worker.mailbox.send(Mail::Load { id, logs_stalls });
        Ok((Arc::new(worker), loading))
    }

    /// Starts a spare worker, in development: later, because it would take processor time from the first answers of the
    /// code that has just been loaded.
    fn prepare_spare(&self) {
        if self.config.mode != Mode::Development {
            return;
        }
        let pool = self.itself.clone();
        self.runtime.spawn(async move {
            tokio::time::sleep(SPARE_DELAY).await;
            if let Some(pool) = pool.upgrade() {
                pool.start_spare();
            }
        });
    }

    /// Starts a worker that the next load takes, if there is none.
    fn start_spare(&self) {
        let mut spare = lock(&self.spare);
        if spare.is_none() && !self.draining.load(Ordering::Relaxed) {
            *spare = worker_thread::spawn(self.config.clone(), self.itself.clone()).ok();
        }
    }

    /// Ends the spare worker of a load that did not come to take it. In development the next load follows soon.
    fn end_unused_spare(&self) {
        if self.config.mode != Mode::Development
            && let Some(spare) = lock(&self.spare).take()
        {
            let _ = spare.mailbox.send(Mail::Stop);
        }
    }

    /// Lets a worker finish. The receiver resolves when its idle connections are on their way to other workers.
    fn retire(&self, worker: Arc<Handle>) -> oneshot::Receiver<()> {
        self.detach_debuggers(worker.owner);
        let (done, passed_on) = oneshot::channel();
        let _ = worker.mailbox.send(Mail::Retire(done));
        let mut retired = lock(&self.retired);
        retired.retain(|worker| !worker.mailbox.is_closed() && !worker.remote.is_lost());
        retired.push_back(worker);
        if retired.len() > MAX_RETIRED * self.config.workers
            && let Some(oldest) = retired.pop_front()
        {
            tracing::warn!(
                "{MAX_RETIRED} generations of code still have lines: those of the oldest are closed with 1012"
            );
            self.config.hub.unregister(oldest.owner, CloseCode::Restart);
            let _ = oldest.mailbox.send(Mail::Stop);
        }
        passed_on
    }

    /// The worker is no longer a target of debuggers. Code that is paused there goes on.
    fn detach_debuggers(&self, owner: OwnerId) {
        if let Some(inspector) = &self.config.inspector {
            inspector.retire(owner);
        }
    }
}

type Loading = oneshot::Receiver<Loaded>;

/// The outcome of a load.
async fn finished(loading: Loading) -> Loaded {
    loading.await.unwrap_or_else(|_| Loaded::failed("the worker ended while it loaded the handlers"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while the pool is locked")
}
