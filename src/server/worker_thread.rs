//! A worker's thread: a single-threaded tokio runtime with an isolate and its share of the connections.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::accepted::Accepted;
use super::connection_table::ConnectionTable;
use super::http1::round;
use super::mailbox::{Inbox, LineQueue, Mail};
use super::remote::Remote;
use super::renewal::site_of;
use super::{Pool, Worker, connection};
use crate::browser::BrowserFiles;
use crate::config::Config;
use crate::dialect::Exports;
use crate::ext::{Exchanges, Mode};
use crate::metrics::WorkerId;
use crate::script::{Isolate, Site, Stall};
use liveline_compiler::Diagnostic;
use liveline_proto::{Close, CloseCode, ExchangeId, OwnerId};

/// How long the isolate of a worker that others have replaced is kept after its last line has ended.
const END_DELAY: Duration = Duration::from_millis(50);

/// The outcome of a load, and the files that it read.
pub(super) struct Loaded {
    pub files: HashSet<PathBuf>,
    /// Their code runs on and cannot be stopped.
    pub is_stuck: bool,
    /// The imports of each of the files, in development.
    pub imports: HashMap<PathBuf, Vec<PathBuf>>,
    /// The exports of each handler by its id, in development.
    pub exports: HashMap<u32, Exports>,
    pub result: Result<(), Vec<Diagnostic>>,
}

impl Loaded {
    /// The load failed before it read a file.
    pub(super) fn failed(reason: impl Into<String>) -> Loaded {
        let result = Err(vec![Diagnostic::new(reason)]);
        let (files, imports, exports) = Default::default();
        Loaded { files, is_stuck: false, imports, exports, result }
    }
}

/// The pool's end of a worker.
pub(super) struct Handle {
    pub mailbox: mpsc::UnboundedSender<Mail>,
    pub owner: OwnerId,
    /// How many connections it serves.
    pub load: Arc<AtomicUsize>,
    pub remote: Arc<Remote>,
}

/// What a worker's thread is started with.
struct Thread {
    config: Arc<Config>,
    pool: Weak<Pool>,
    owner: OwnerId,
    mailbox: mpsc::UnboundedSender<Mail>,
    queue: Arc<LineQueue>,
    load: Arc<AtomicUsize>,
    remote: Arc<Remote>,
}

/// Starts a worker's thread. It prepares an isolate at once and waits for [`Mail::Load`].
pub(super) fn spawn(config: Arc<Config>, pool: Weak<Pool>) -> std::io::Result<Handle> {
    let (mailbox, mail) = mpsc::unbounded_channel();
    let queue = Arc::new(LineQueue::default());
    let (queued, told) = (queue.clone(), mailbox.clone());
    let owner = config.hub.register_for_runs(move |events| {
        if queued.add(events) {
            // A worker that has ended receives nothing.
            let _ = told.send(Mail::LineEvents);
        }
    });
    let (load, remote) = (Arc::new(AtomicUsize::new(0)), Arc::new(Remote::new()));
    let handle = Handle { mailbox: mailbox.clone(), owner, load: load.clone(), remote: remote.clone() };
    let thread = Thread { config, pool, owner, mailbox, queue, load, remote };
    std::thread::Builder::new()
        .name(format!("liveline-isolate-{}", owner.0))
        .spawn(move || thread.run(mail))?;
    Ok(handle)
}

impl Thread {
    fn run(self, mail: mpsc::UnboundedReceiver<Mail>) {
        self.remote.set_thread();
        let (config, pool, remote, owner) =
            (self.config.clone(), self.pool.clone(), self.remote.clone(), self.owner);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(self.live(mail)),
            Err(error) => tracing::error!("a worker could not start: {error}"),
        }
        config.hub.unregister(owner, CloseCode::IsolateLost);
        if let Some(pool) = pool.upgrade().filter(|_| remote.is_lost()) {
            pool.lost_isolate_ended();
        }
    }

    /// The life of a worker: prepare an isolate, load code, serve, retire.
    async fn live(self, mut mail: mpsc::UnboundedReceiver<Mail>) {
        let isolate = self.prepare();
        if let Ok(isolate) = &isolate
            && mail.is_empty()
        {
            isolate.prepare_load();
        }
        let Some(Mail::Load { id, logs_stalls }) = mail.recv().await else { return };
        let isolate = match isolate {
            Ok(isolate) => isolate,
            Err(error) => {
                let error = Loaded::failed(format!("JavaScript could not start: {error}"));
                return self.remote.end_load(error);
            }
        };
        let (isolate, loaded) = match self.load(&isolate, id, logs_stalls).await {
            Attempt::LacksNode => {
                drop(isolate);
                let isolate = match self.prepare() {
                    Ok(isolate) => isolate,
                    Err(error) => {
                        let error = Loaded::failed(format!("JavaScript could not start: {error}"));
                        return self.remote.end_load(error);
                    }
                };
                let loaded = self.load(&isolate, id, logs_stalls).await;
                (isolate, loaded)
            }
            loaded => (isolate, loaded),
        };
        let Attempt::Loaded(site, browser) = loaded else { return };
        let Thread { config, pool, owner, mailbox, queue, load, remote } = self;
        let meter = config.metrics.as_ref().map(|metrics| metrics.add_worker(id));
        let retiring = watch::Sender::new(false);
        let worker =
            Rc::new(Worker { config, site, browser, meter, owner, isolate, pool, mailbox, retiring });
        let driven = worker.clone();
        tokio::task::spawn_local(async move { driven.isolate.run().await });
        let probed = worker.clone();
        tokio::task::spawn_local(async move {
            if let Some(meter) = &probed.meter {
                meter.probe(|| probed.isolate.heap()).await;
            }
        });
        let tidied = worker.clone();
        tokio::task::spawn_local(async move { tidied.isolate.tidy().await });
        tokio::task::spawn_local(round::end_all());
        let connections = Rc::new(Connections { count: Cell::new(0), load, one_less: Notify::new() });
        let serving = Serving { worker, remote, connections, renewing: Rc::default() };
        if serving.run(Inbox::new(mail, queue)).await == Ended::Retired {
            // To free an isolate takes a core for a few milliseconds, which the first requests of the new code need.
            std::thread::sleep(END_DELAY);
        }
    }

    fn prepare(&self) -> Result<Isolate, impl Display + use<>> {
        let config = &self.config;
        let mut exchanges = Exchanges::new(self.owner, config.services());
        exchanges.report_to(config.dev.clone());
        exchanges.use_stores(config.stores.clone());
        let (pool, hub, remote, owner) =
            (self.pool.clone(), config.hub.clone(), self.remote.clone(), self.owner);
        let actors = config.actors.clone();
        let lost = move |exchange: Option<ExchangeId>| {
            actors.unregister(owner);
            remote.lose(pool.upgrade().as_deref(), &hub, owner, exchange);
        };
        let limits = config.isolate.clone();
        Isolate::new(&config.access, limits, exchanges, config.databases.clone(), lost)
    }

    /// Loads the code that the pool chose.
    async fn load(&self, isolate: &Isolate, id: WorkerId, logs_stalls: bool) -> Attempt {
        let (config, remote) = (&self.config, &self.remote);
        let Some(code) = remote.code() else { return Attempt::Failed };
        if let Some(inspector) = config.inspector.as_ref().filter(|_| !code.is_stand_in) {
            isolate.list(inspector, self.owner, id);
        }
        if config.mode == Mode::Development {
            isolate.explain_losses();
        }
        let site = site_of(config, &code);
        let left_out = |reasons: &[Diagnostic]| {
            for reason in reasons.iter().filter(|_| logs_stalls) {
                tracing::error!("a script is left out until it is mended\nerror: {reason}");
            }
        };
        let stalled = |stall: &Stall| {
            if logs_stalls && stall.is_worth_a_line() {
                tracing::warn!("{stall}");
            }
            // The reason may be in a file that is not watched yet.
            if let Some(pool) = self.pool.upgrade() {
                pool.loading_stalled(isolate.files(), stall.to_string());
            }
        };
        let result = tokio::select! {
            result = isolate.load(&site, code.sources.clone(), |file| remote.set_loading_file(file), stalled, left_out) => result,
            () = remote.load_cancelled() => return Attempt::Failed,
            () = remote.lost() => return Attempt::Failed,
        };
        if isolate.lacks_node() {
            return Attempt::LacksNode;
        }
        let is_loaded = result.is_ok();
        let pages = site.routes.pages().iter().map(|page| page.path.clone());
        let files = isolate.files().into_iter().chain(pages).collect();
        let dev = config.dev.as_ref();
        let (imports, exports) = dev.map(|_| (isolate.imports(), isolate.exports())).unwrap_or_default();
        remote.end_load(Loaded { files, is_stuck: false, imports, exports, result });
        if is_loaded { Attempt::Loaded(site, code.browser.clone()) } else { Attempt::Failed }
    }
}

/// How a load ended.
enum Attempt {
    Loaded(Site, Arc<BrowserFiles>),
    /// The code needs an isolate with Node's half; nothing was reported.
    LacksNode,
    /// The code does not load, which was reported, or the load was cancelled.
    Failed,
}

/// Why a worker has ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// Others serve now, and it had nothing left to do.
    Retired,
    Stopped,
}

/// How many connections a worker serves.
struct Connections {
    count: Cell<usize>,
    /// The same, for the pool.
    load: Arc<AtomicUsize>,
    one_less: Notify,
}

impl Connections {
    fn add(&self) {
        self.count.set(self.count.get() + 1);
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self) {
        self.count.set(self.count.get() - 1);
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.one_less.notify_one();
    }
}

/// A worker that serves.
struct Serving {
    worker: Rc<Worker>,
    remote: Arc<Remote>,
    connections: Rc<Connections>,
    /// Held while code loads in the isolate that serves.
    renewing: Rc<tokio::sync::Mutex<()>>,
}

impl Serving {
    /// Processes mail until the worker has nothing left to do.
    async fn run(self, mut inbox: Inbox) -> Ended {
        let worker = &self.worker;
        let ended = self.process(&mut inbox).await;
        worker.isolate.give_up();
        // Connections that have not arrived go to the generation that serves now.
        let (connections, events) = inbox.close();
        for connection in (0..connections).map_while(|_| self.remote.next_arriving()) {
            worker.pass_on(connection);
        }
        events.for_each(|event| worker.config.hub.acknowledge(&event));
        ended
    }

    async fn process(&self, inbox: &mut Inbox) -> Ended {
        let worker = &self.worker;
        let mut retired = false;
        while !(retired && (self.is_quiet() || worker.isolate.is_spent())) {
            let mail = tokio::select! {
                mail = inbox.next() => mail,
                () = self.connections.one_less.notified() => continue,
                () = worker.isolate.idle() => continue,
                // Other threads have ended its connections and lines already.
                () = self.remote.lost() => return Ended::Stopped,
                () = worker.isolate.filled() => {
                    // There is no room for new requests.
                    if let Some(pool) = worker.pool.upgrade() {
                        pool.replace(worker.owner);
                    }
                    continue;
                }
            };
            match mail {
                None | Some(Mail::Stop) => return Ended::Stopped,
                Some(Mail::Load { .. }) => {}
                Some(Mail::Renew(renewal)) => {
                    let (worker, remote, turn) = (worker.clone(), self.remote.clone(), self.renewing.clone());
                    tokio::task::spawn_local(async move {
                        // A load that was cancelled ends first.
                        let _turn = turn.lock().await;
                        renewal.carry_out(worker, remote).await;
                    });
                }
                Some(Mail::Connection) => match self.remote.next_arriving() {
                    Some(connection) if retired => worker.pass_on(connection),
                    Some(connection) => self.serve(connection),
                    None => {}
                },
                Some(Mail::LineEvents) => self.deliver(inbox).await,
                Some(Mail::Abandoned(id)) => worker.isolate.end(id, &Close::from(CloseCode::GoingAway)),
                Some(Mail::Retire(done)) => {
                    retired = true;
                    self.retire(done);
                }
                Some(Mail::EndEvents) => worker.isolate.end_events(),
            }
        }
        Ended::Retired
    }

    fn retire(&self, done: oneshot::Sender<()>) {
        self.worker.isolate.announce_idle();
        self.worker.retiring.send_replace(true);
        // This task runs after those of the connections that have just been woken.
        tokio::task::spawn_local(async move {
            tokio::task::yield_now().await;
            let _ = done.send(());
        });
    }

    /// Delivers the event of a line that is next, or the messages of raw sockets. Frames that handlers send for events that
    /// arrive together are flushed together.
    async fn deliver(&self, inbox: &mut Inbox) {
        let (isolate, hub) = (&self.worker.isolate, &self.worker.config.hub);
        let messages = inbox.messages();
        if !messages.is_empty() {
            isolate.hold_back(false);
            let delivered = isolate.deliver_messages(messages);
            hub.acknowledge_all(&messages[..delivered]);
            let are_all = delivered == messages.len();
            inbox.delivered(delivered);
            if !are_all {
                // Requests have their turn in between.
                tokio::task::yield_now().await;
            }
            return;
        }
        let Some(event) = inbox.line_event() else { return };
        let is_last = !inbox.has_line_event();
        isolate.hold_back(!is_last);
        isolate.deliver(&event);
        hub.acknowledge(&event);
        if is_last {
            hub.flush();
        }
    }

    /// Serves a connection in a task of its own. It counts at once, before the task has run.
    fn serve(&self, connection: Accepted) {
        let Accepted { stream, peer, is_fresh, read, holds } = connection;
        let holds = ConnectionTable::insert(&self.remote.connections, &stream, holds, !read.is_empty());
        let connection = Accepted { stream, peer, is_fresh, read, holds };
        let (worker, connections) = (self.worker.clone(), self.connections.clone());
        connections.add();
        tokio::task::spawn_local(async move {
            connection::serve(worker, connection).await;
            connections.remove();
        });
    }

    fn is_quiet(&self) -> bool {
        self.connections.count.get() == 0 && self.worker.isolate.is_idle()
    }
}
