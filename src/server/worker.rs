//! One worker: an OS thread with a single-threaded tokio runtime, an isolate, and connections.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::clients::{Clients, Enlisted};
use super::outside::Outside;
use super::{Pool, connection};
use crate::browser::BrowserFiles;
use crate::config::Settings;
use crate::ext::{Call, Exchanges, Unanswered};
use crate::http::Answer;
use crate::lines::{Hub, LineEvent};
use crate::metrics::{Meter, WorkerId};
use crate::router::{NodeId, PublicFiles, Step};
use crate::script::{Dispatched, Isolate, Site, Stall};
use crate::trust::Peer;
use liveline_compiler::Diagnostic;
use liveline_proto::{Close, CloseCode, ExchangeId, OwnerId};

/// A client's connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Connection {
    pub stream: std::net::TcpStream,
    pub peer: Peer,
    /// Nothing was read of it, so its proxy may yet say whose it is.
    pub is_fresh: bool,
    /// What was read from the stream already.
    pub read: Bytes,
    /// Travels with the stream, also when that becomes a line.
    pub place: Admitted,
}

/// A connection's place among those that the listener admits. It is given up when this is dropped.
pub(crate) trait Permit: std::fmt::Debug + Send {
    /// From here on the connection counts for this address, or with `None` for the whole alone. Where the address has
    /// as many as it may have, everything stays as it is, and the error says so.
    fn count_for(&mut self, address: Option<IpAddr>) -> Result<(), PermitError>;
}

/// The [`Permit`] of a connection.
pub(crate) type Admitted = Box<dyn Permit>;

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PermitError {
    #[error("there are {0} already (see --max-connections)")]
    Full(usize),
    #[error("its address has {0} already (see --max-connections-per-address)")]
    Address(u32),
}

/// A connection that a worker has taken in.
pub(crate) struct Taken {
    pub stream: std::net::TcpStream,
    pub peer: Peer,
    pub is_fresh: bool,
    /// What was read from the stream already.
    pub read: Bytes,
    /// Where other threads find it. It is to be left before the stream is closed or given away.
    pub enlisted: Enlisted,
}

/// What a worker's thread is told.
pub(super) enum Mail {
    /// Load the handlers of this code, which [`Outside`] has, and begin to serve.
    Load {
        id: WorkerId,
        /// Whether this worker tells of handlers that wait. Others load the same code and need not say the same.
        tells: bool,
    },
    /// A connection arrives.
    Connection,
    LineEvent(LineEvent),
    /// The client of an unanswered request left.
    Abandoned(ExchangeId),
    /// A newer generation serves: pass idle connections on, finish what is live, then end. Who waits for that hears when
    /// the idle ones are on their way.
    Retire(oneshot::Sender<()>),
    /// The process ends: end what clients would follow for ever and ask for again.
    EndEvents,
    /// End now; what is live was told already.
    Stop,
}

/// The mailbox of a worker, which takes it apart.
struct Inbox {
    mail: mpsc::UnboundedReceiver<Mail>,
    /// Taken out too early.
    next: Option<Mail>,
}

/// So many messages of raw sockets are delivered together.
const MESSAGES: usize = 256;

impl Inbox {
    async fn next(&mut self) -> Option<Mail> {
        match self.next.take() {
            Some(mail) => Some(mail),
            None => self.mail.recv().await,
        }
    }

    /// The messages of raw sockets that are next, from `first` on.
    fn messages(&mut self, first: LineEvent) -> Vec<LineEvent> {
        let mut messages = vec![first];
        while messages.len() < MESSAGES && self.next.is_none() {
            match self.mail.try_recv() {
                Ok(Mail::LineEvent(told)) if told.is_message() => messages.push(told),
                Ok(other) => self.next = Some(other),
                Err(_) => break,
            }
        }
        messages
    }

    /// Whether the next is one more event of a line.
    fn has_told(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.mail.try_recv().ok();
        }
        matches!(self.next, Some(Mail::LineEvent(_)))
    }

    /// What is left. Nothing more comes.
    fn close(mut self) -> impl Iterator<Item = Mail> {
        self.mail.close();
        let next = self.next.take();
        next.into_iter().chain(std::iter::from_fn(move || self.mail.try_recv().ok()))
    }
}

/// How loading went, and which files it read.
pub(super) struct Loaded {
    pub files: HashSet<PathBuf>,
    /// Their code runs on and cannot be stopped.
    pub is_stuck: bool,
    /// What each of the files imports of others, where that is of interest.
    pub imports: HashMap<PathBuf, Vec<PathBuf>>,
    pub result: Result<(), Vec<Diagnostic>>,
}

impl Loaded {
    /// It did not come to load anything.
    pub(super) fn failed(reason: impl Into<String>) -> Loaded {
        let (files, imports) = Default::default();
        Loaded { files, is_stuck: false, imports, result: Err(vec![Diagnostic::new(reason)]) }
    }
}

/// The pool's end of a worker.
pub(super) struct Handle {
    pub mailbox: mpsc::UnboundedSender<Mail>,
    pub owner: OwnerId,
    /// Connections that it serves.
    pub load: Arc<AtomicUsize>,
    pub outside: Arc<Outside>,
}

/// A worker as its connections see it.
pub(crate) struct Worker {
    pub settings: Arc<Settings>,
    pub site: Site,
    /// The files for browsers of this generation.
    pub browser: Arc<BrowserFiles>,
    /// Where its answers are counted, if somebody may ask.
    pub meter: Option<Meter>,
    isolate: Isolate,
    pool: Weak<Pool>,
    mailbox: mpsc::UnboundedSender<Mail>,
    retiring: watch::Sender<bool>,
    connections: Cell<usize>,
    load: Arc<AtomicUsize>,
    /// Something ended that a retiring worker may have waited for.
    quieter: Notify,
    outside: Arc<Outside>,
    pub owner: OwnerId,
}

impl Worker {
    /// Runs the handlers for a request. Most have answered when this returns; what makes the others wait is a task of
    /// its own.
    pub(crate) fn call(self: &Rc<Self>, call: Call, node: NodeId) -> Called {
        match self.isolate.dispatch(call, node) {
            Dispatched::Answered(exchange, answer) => Called::Answered(exchange, answer),
            Dispatched::Waiting(exchange, unanswered) => {
                let worker = self.clone();
                Called::Waiting(exchange, Waiting { worker, exchange: Some(exchange), unanswered })
            }
            Dispatched::Lost(exchange) => Called::Answered(exchange, Answer::internal_error(None, false)),
        }
    }

    /// The nearest error page of the site, upwards from a path, with what went wrong as its state.
    pub(crate) fn error_page(&self, path: &str, answer: &Answer) -> Option<String> {
        let routes = &self.site.routes;
        let page = routes.node(routes.resolve(path)).error_page?;
        let title = answer.status.canonical_reason().unwrap_or("Error");
        let state = serde_json::json!({
            "status": answer.status.as_u16(),
            "title": title,
            "message": answer.complaint(),
            "path": path,
        });
        self.isolate.render(page, &state.to_string(), answer.status)
    }

    /// Whether requests to a node are held against the page that sent them, as handlers may decide.
    pub(crate) fn checks_csrf(&self, steps: &[Step]) -> bool {
        self.isolate.checks_csrf(steps)
    }

    /// Changes to true when a newer generation serves.
    pub(crate) fn retiring(&self) -> watch::Receiver<bool> {
        self.retiring.subscribe()
    }

    /// Passes a connection on to the generation that serves now.
    pub(crate) fn pass_on(&self, connection: Connection) {
        if let Some(pool) = self.pool.upgrade() {
            pool.accept(connection);
        }
    }

    /// Works through the mailbox until the worker has nothing left to do.
    async fn attend(self: Rc<Self>, mail: mpsc::UnboundedReceiver<Mail>) {
        let mut inbox = Inbox { mail, next: None };
        self.work_through(&mut inbox).await;
        self.isolate.give_up();
        // Connections that were on their way here belong to whoever serves now.
        for left in inbox.close() {
            match left {
                Mail::Connection => self.outside.next_arriving().into_iter().for_each(|it| self.pass_on(it)),
                Mail::LineEvent(told) => self.settings.hub.acknowledge(&told),
                _ => {}
            }
        }
    }

    async fn work_through(self: &Rc<Self>, inbox: &mut Inbox) {
        let mut retired = false;
        while !(retired && (self.is_quiet() || self.isolate.is_spent())) {
            let mail = tokio::select! {
                mail = inbox.next() => mail,
                () = self.quieter.notified() => continue,
                () = self.isolate.idle() => continue,
                // Other threads answer for it already.
                () = self.outside.lost() => return,
                () = self.isolate.filled() => {
                    // It has no room for new requests.
                    if let Some(pool) = self.pool.upgrade() {
                        pool.replace(self.owner);
                    }
                    continue;
                }
            };
            match mail {
                None | Some(Mail::Stop) => return,
                Some(Mail::Load { .. }) => {}
                Some(Mail::Connection) => match self.outside.next_arriving() {
                    Some(connection) if retired => self.pass_on(connection),
                    Some(connection) => self.take(connection),
                    None => {}
                },
                Some(Mail::LineEvent(told)) if told.is_message() => {
                    self.isolate.hold_back(false);
                    self.deliver(&inbox.messages(told)).await;
                }
                Some(Mail::LineEvent(told)) => {
                    // What handlers say to events that come together leaves together.
                    let is_last = !inbox.has_told();
                    self.isolate.hold_back(!is_last);
                    self.isolate.deliver(&told);
                    self.settings.hub.acknowledge(&told);
                    if is_last {
                        self.settings.hub.flush();
                    }
                }
                Some(Mail::Abandoned(id)) => self.isolate.end(id, &Close::from(CloseCode::GoingAway)),
                Some(Mail::Retire(done)) => {
                    retired = true;
                    self.isolate.announce_idle();
                    self.retiring.send_replace(true);
                    // It has its turn behind the connections that this has woken.
                    tokio::task::spawn_local(async move {
                        tokio::task::yield_now().await;
                        let _ = done.send(());
                    });
                }
                Some(Mail::EndEvents) => self.isolate.end_events(),
            }
        }
    }

    /// Delivers messages of raw sockets. Requests have their turn in between.
    async fn deliver(&self, mut messages: &[LineEvent]) {
        while !messages.is_empty() {
            let (taken, left) = messages.split_at(self.isolate.deliver_messages(messages));
            self.settings.hub.acknowledge_all(taken);
            messages = left;
            if !left.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Takes a connection in. It counts from here on, before its task has run.
    fn take(self: &Rc<Self>, connection: Connection) {
        let Connection { stream, peer, is_fresh, read, place } = connection;
        let enlisted = Clients::enlist(&self.outside.clients, &stream, place, !read.is_empty());
        let taken = Taken { stream, peer, is_fresh, read, enlisted };
        let worker = self.clone();
        worker.connections.set(worker.connections.get() + 1);
        worker.load.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_local(async move {
            connection::serve(worker.clone(), taken).await;
            worker.connections.set(worker.connections.get() - 1);
            worker.load.fetch_sub(1, Ordering::Relaxed);
            worker.quieter.notify_one();
        });
    }

    fn is_quiet(&self) -> bool {
        self.connections.get() == 0 && self.isolate.is_idle()
    }
}

/// So often it is looked whether a client that takes one answer could have one.
const LOOK: Duration = Duration::from_millis(500);

/// What became of a request.
pub(crate) enum Called {
    Answered(ExchangeId, Answer),
    Waiting(ExchangeId, Waiting),
}

/// A request whose handlers wait for something. To drop it is to wait no longer for the answer.
pub(crate) struct Waiting {
    worker: Rc<Worker>,
    /// None once nobody has to be told that the client left.
    exchange: Option<ExchangeId>,
    unanswered: Unanswered,
}

impl Waiting {
    /// The answer, or the one for a handler that gave none.
    pub(crate) async fn answer(mut self) -> Answer {
        let limit = self.worker.settings.limits.answer;
        let end = Instant::now() + limit;
        loop {
            let settles_at = self.exchange.and_then(|exchange| self.worker.isolate.settles_at(exchange));
            let at = settles_at.unwrap_or_else(|| Instant::now() + LOOK).min(end);
            if at <= Instant::now() {
                return self.settle(limit);
            }
            if let Ok(answer) = tokio::time::timeout_at(at.into(), &mut self.unanswered.answer).await {
                self.exchange = None;
                return answer.unwrap_or_else(|_| Answer::internal_error(None, false));
            }
        }
    }

    /// Time is up: the client gets the state that is held, if there is one.
    fn settle(&mut self, limit: Duration) -> Answer {
        if let Some(exchange) = self.exchange {
            self.worker.isolate.settle(exchange);
        }
        let Unanswered { method, uri, answer } = &mut self.unanswered;
        answer.try_recv().unwrap_or_else(|_| {
            let (path, exchange) = (uri.path(), self.exchange.map(|id| id.of(self.worker.owner)));
            let exchange = exchange.map(tracing::field::display);
            tracing::error!(exchange, %method, path, "{method} {path}: no answer within {limit:?}");
            Answer::text(StatusCode::GATEWAY_TIMEOUT, "The handler did not answer in time.\n")
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            // Not from here: this may run while the runtime is busy with something else.
            let _ = self.worker.mailbox.send(Mail::Abandoned(exchange));
        }
    }
}

/// Starts a worker's thread. It prepares an isolate at once and waits for [`Mail::Load`].
pub(super) fn spawn(settings: Arc<Settings>, pool: Weak<Pool>) -> std::io::Result<Handle> {
    let (mailbox, mail) = mpsc::unbounded_channel();
    let told = mailbox.clone();
    let owner = settings.hub.register(move |event| {
        let _ = told.send(Mail::LineEvent(event));
    });
    let load = Arc::new(AtomicUsize::new(0));
    let outside = Arc::new(Outside::new());
    let handle = Handle { mailbox: mailbox.clone(), owner, load: load.clone(), outside: outside.clone() };
    std::thread::Builder::new().name(format!("liveline-isolate-{}", owner.0)).spawn(move || {
        outside.is_of_this_thread();
        let (hub, of_pool, seen) = (settings.hub.clone(), pool.clone(), outside.clone());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                runtime.block_on(live(settings, pool, mailbox, mail, owner, load, outside));
            }
            Err(error) => tracing::error!("a worker could not start: {error}"),
        }
        hub.unregister(owner, CloseCode::IsolateLost);
        if let Some(pool) = of_pool.upgrade().filter(|_| seen.is_lost()) {
            pool.lost_one_ended();
        }
    })?;
    Ok(handle)
}

/// The life of a worker: prepare, wait for routes, serve, retire.
async fn live(
    settings: Arc<Settings>,
    pool: Weak<Pool>,
    mailbox: mpsc::UnboundedSender<Mail>,
    mut mail: mpsc::UnboundedReceiver<Mail>,
    owner: OwnerId,
    load: Arc<AtomicUsize>,
    outside: Arc<Outside>,
) {
    let mut exchanges = Exchanges::new(
        settings.hub.clone(),
        owner,
        settings.sessions.clone(),
        settings.shared.clone(),
        settings.trust.clone(),
        settings.mode,
        settings.limits.bodies.clone(),
    );
    exchanges.report_to(settings.dev.clone());
    let lost = {
        let (pool, hub, outside) = (pool.clone(), settings.hub.clone(), outside.clone());
        move |exchange: Option<ExchangeId>| {
            lose(pool.upgrade().as_deref(), &hub, &outside, owner, exchange);
        }
    };
    let project = &settings.layout.project;
    let isolate = Isolate::new(project, settings.limits.clone(), exchanges, settings.databases.clone(), lost);
    if let Ok(isolate) = &isolate
        && mail.is_empty()
    {
        isolate.warm();
    }
    let Some(Mail::Load { id, tells }) = mail.recv().await else { return };
    let Some(code) = outside.code() else { return };
    let isolate = match isolate {
        Ok(isolate) => isolate,
        Err(error) => {
            return outside.has_loaded(Loaded::failed(format!("JavaScript could not start: {error}")));
        }
    };
    let files = PublicFiles::new(settings.layout.public.as_deref(), settings.files);
    let site =
        Site { routes: code.routes.clone(), files, dev: settings.dev.clone(), is_stand_in: code.is_stand_in };
    let stalled = |stall: &Stall| {
        if tells && stall.is_worth_a_line() {
            tracing::warn!("{stall}");
        }
        // What it waits for may be in a file that nobody watches yet.
        if let Some(pool) = pool.upgrade() {
            pool.reads(isolate.files(), stall.to_string());
        }
    };
    let result = tokio::select! {
        result = isolate.load(&site, code.sources.clone(), |file| outside.loads_file(file), stalled) => result,
        () = outside.nobody_waits() => return,
        () = outside.lost() => return,
    };
    let failed = result.is_err();
    let pages = site.routes.pages().iter().map(|page| page.path.clone());
    let files = isolate.files().into_iter().chain(pages).collect();
    let imports = settings.dev.as_ref().map(|_| isolate.imports()).unwrap_or_default();
    outside.has_loaded(Loaded { files, is_stuck: false, imports, result });
    if failed {
        return;
    }
    let meter = settings.metrics.as_ref().map(|metrics| metrics.add_worker(id));
    let worker = Rc::new(Worker {
        settings,
        site,
        browser: code.browser.clone(),
        meter,
        isolate,
        pool,
        mailbox,
        retiring: watch::Sender::new(false),
        connections: Cell::new(0),
        load,
        quieter: Notify::new(),
        outside,
        owner,
    });
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
    worker.attend(mail).await;
}

/// Goes on without a worker whose code runs and cannot be stopped. Called from another thread than its own.
fn lose(pool: Option<&Pool>, hub: &Hub, outside: &Outside, owner: OwnerId, exchange: Option<ExchangeId>) {
    // Where it was still loading, whoever waits for that has the error to tell, and the same would happen again.
    let was_loading = outside.does_not_load();
    if let Some(pool) = pool.filter(|_| !was_loading) {
        pool.replace_lost(owner);
    }
    outside.is_lost_now();
    if !was_loading {
        let abandoned = outside.clients.answer_for_all();
        let (connections, refused) = (abandoned.connections, abandoned.refused);
        let exchange = exchange.map(|exchange| tracing::field::display(exchange.of(owner)));
        let (method, path) = abandoned.request().unzip();
        tracing::error!(
            exchange,
            method,
            path,
            connections,
            refused,
            "an isolate is lost: {abandoned} runs on in something that JavaScript cannot be interrupted in; \
             its lines are closed with 1011"
        );
    }
    hub.unregister(owner, CloseCode::IsolateLost);
    let Some(pool) = pool else { return };
    for connection in outside.take_arriving() {
        pool.accept(connection);
    }
    pool.lost_one();
}
