//! One worker: an OS thread with a single-threaded tokio runtime, an isolate, and connections.

use std::cell::Cell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::runtime::LocalOptions;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::isolate::Dispatched;
use super::site::Site;
use super::{Isolate, Pool, Settings};
use crate::client::BrowserFiles;
use crate::engine::{Close, CloseCode, ExchangeId, OwnerId};
use crate::ops::{Answer, Call, Diagnostic, Exchanges, Unanswered};
use crate::ports::Told;
use crate::router::{NodeId, PublicFiles, Routes};

/// A client's connection on its way to a worker.
#[derive(Debug)]
pub struct Connection {
    pub stream: std::net::TcpStream,
    pub peer: SocketAddr,
    /// What was read from the stream already.
    pub read: Bytes,
}

/// Serves one connection to its end. The http layer provides it, so that this layer need not know HTTP.
pub type Serve = fn(Rc<Worker>, Connection) -> Pin<Box<dyn Future<Output = ()>>>;

/// What a worker's thread is told.
pub(super) enum Mail {
    /// Load the handlers and begin to serve.
    Load {
        routes: Arc<Routes>,
        browser: Arc<BrowserFiles>,
        loaded: oneshot::Sender<Loaded>,
    },
    Connection(Connection),
    Told(Told),
    /// The client of an unanswered request left.
    Abandoned(ExchangeId),
    /// A newer generation serves: pass idle connections on, finish what is live, then end.
    Retire,
    /// End now; what is live was told already.
    Stop,
}

/// How loading went, and which files it read.
pub(super) struct Loaded {
    pub files: HashSet<PathBuf>,
    pub result: Result<(), Vec<Diagnostic>>,
}

/// The pool's end of a worker.
pub(super) struct Handle {
    pub mailbox: mpsc::UnboundedSender<Mail>,
    pub owner: OwnerId,
    /// Connections that it serves.
    pub load: Arc<AtomicUsize>,
}

/// A worker as its connections see it.
pub struct Worker {
    pub settings: Arc<Settings>,
    pub site: Site,
    isolate: Isolate,
    pool: Weak<Pool>,
    mailbox: mpsc::UnboundedSender<Mail>,
    retiring: watch::Sender<bool>,
    connections: Cell<usize>,
    load: Arc<AtomicUsize>,
    /// Something ended that a retiring worker may have waited for.
    quieter: Notify,
    owner: OwnerId,
}

impl Worker {
    /// Runs the handlers for a request. Most have answered when this returns; what makes the others wait is a task of
    /// its own.
    pub fn call(self: &Rc<Self>, call: Call, node: NodeId) -> Called {
        match self.isolate.dispatch(call, node) {
            Dispatched::Answered(answer) => Called::Answered(answer),
            Dispatched::Waiting(exchange, unanswered) => {
                let worker = self.clone();
                Called::Waiting(Waiting { worker, exchange: Some(exchange), unanswered })
            }
            Dispatched::Lost => Called::Answered(Answer::internal_error(None, false)),
        }
    }

    /// Changes to true when a newer generation serves.
    pub fn retiring(&self) -> watch::Receiver<bool> {
        self.retiring.subscribe()
    }

    /// Passes a connection on to the generation that serves now.
    pub fn pass_on(&self, connection: Connection) {
        if let Some(pool) = self.pool.upgrade() {
            pool.accept(connection);
        }
    }

    /// Works through the mailbox until the worker has nothing left to do.
    async fn attend(self: Rc<Self>, mut mail: mpsc::UnboundedReceiver<Mail>) {
        self.work_through(&mut mail).await;
        self.isolate.give_up();
        // Connections that were on their way here belong to whoever serves now.
        mail.close();
        while let Ok(left) = mail.try_recv() {
            match left {
                Mail::Connection(connection) => self.pass_on(connection),
                Mail::Told(told) => self.settings.hub.was_heard(&told),
                _ => {}
            }
        }
    }

    async fn work_through(self: &Rc<Self>, mail: &mut mpsc::UnboundedReceiver<Mail>) {
        let mut retired = false;
        while !(retired && (self.is_quiet() || self.isolate.is_spent())) {
            let mail = tokio::select! {
                mail = mail.recv() => mail,
                () = self.quieter.notified() => continue,
                () = self.isolate.idle() => continue,
                () = self.isolate.stopped() => {
                    // It is not trusted with new requests.
                    if let Some(pool) = self.pool.upgrade() {
                        pool.replace(self.owner);
                    }
                    continue;
                }
            };
            match mail {
                None | Some(Mail::Stop) => return,
                Some(Mail::Load { .. }) => {}
                Some(Mail::Connection(connection)) if retired => self.pass_on(connection),
                Some(Mail::Connection(connection)) => self.take(connection),
                Some(Mail::Told(told)) => {
                    self.isolate.deliver(&told);
                    self.settings.hub.was_heard(&told);
                }
                Some(Mail::Abandoned(id)) => self.isolate.end(id, &Close::from(CloseCode::GoingAway)),
                Some(Mail::Retire) => {
                    retired = true;
                    self.isolate.announce_idle();
                    self.retiring.send_replace(true);
                }
            }
        }
    }

    /// Takes a connection in. It counts from here on, before its task has run.
    fn take(self: &Rc<Self>, connection: Connection) {
        let worker = self.clone();
        worker.connections.set(worker.connections.get() + 1);
        worker.load.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_local(async move {
            (worker.settings.serve)(worker.clone(), connection).await;
            worker.connections.set(worker.connections.get() - 1);
            worker.load.fetch_sub(1, Ordering::Relaxed);
            worker.quieter.notify_one();
        });
    }

    fn is_quiet(&self) -> bool {
        self.connections.get() == 0 && self.isolate.is_idle()
    }
}

/// What became of a request.
pub enum Called {
    Answered(Answer),
    Waiting(Waiting),
}

/// A request whose handlers wait for something. To drop it is to wait no longer for the answer.
pub struct Waiting {
    worker: Rc<Worker>,
    /// None once nobody has to be told that the client left.
    exchange: Option<ExchangeId>,
    unanswered: Unanswered,
}

impl Waiting {
    /// The answer, or the one for a handler that gave none.
    pub async fn answer(mut self) -> Answer {
        let limit = self.worker.settings.limits.answer;
        match tokio::time::timeout(limit, &mut self.unanswered.answer).await {
            Ok(answer) => {
                self.exchange = None;
                answer.unwrap_or_else(|_| Answer::internal_error(None, false))
            }
            Err(_) => self.settle(limit),
        }
    }

    /// Time is up: the client gets the state that is held, if there is one.
    fn settle(&mut self, limit: Duration) -> Answer {
        if let Some(exchange) = self.exchange {
            self.worker.isolate.settle(exchange);
        }
        let Unanswered { method, uri, answer } = &mut self.unanswered;
        answer.try_recv().unwrap_or_else(|_| {
            tracing::error!("{method} {}: no answer within {limit:?}", uri.path());
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
        let _ = told.send(Mail::Told(event));
    });
    let load = Arc::new(AtomicUsize::new(0));
    let handle = Handle { mailbox: mailbox.clone(), owner, load: load.clone() };
    std::thread::Builder::new().name(format!("liveline-isolate-{}", owner.0)).spawn(move || {
        let hub = settings.hub.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                runtime.block_on(live(settings, pool, mailbox, mail, owner, load));
            }
            Err(error) => tracing::error!("a worker could not start: {error}"),
        }
        hub.unregister(owner, CloseCode::IsolateLost);
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
) {
    let exchanges = Exchanges::new(
        settings.hub.clone(),
        owner,
        settings.sessions.clone(),
        settings.mode,
        settings.limits.body,
    );
    let isolate = Isolate::new(settings.limits.clone(), exchanges, settings.databases.clone());
    if let Ok(isolate) = &isolate
        && mail.is_empty()
    {
        isolate.warm();
    }
    let Some(Mail::Load { routes, browser, loaded }) = mail.recv().await else { return };
    let isolate = match isolate {
        Ok(isolate) => isolate,
        Err(error) => {
            let result = Err(vec![Diagnostic::new(format!("JavaScript could not start: {error}"))]);
            let _ = loaded.send(Loaded { files: HashSet::new(), result });
            return;
        }
    };
    let site = Site { routes, files: PublicFiles::new(settings.layout.public.as_deref()), browser };
    let result = isolate.load(&site).await;
    let failed = result.is_err();
    let pages = site.routes.pages().iter().map(|page| page.path.clone());
    let _ = loaded.send(Loaded { files: isolate.files().into_iter().chain(pages).collect(), result });
    if failed {
        return;
    }
    let worker = Rc::new(Worker {
        settings,
        site,
        isolate,
        pool,
        mailbox,
        retiring: watch::Sender::new(false),
        connections: Cell::new(0),
        load,
        quieter: Notify::new(),
        owner,
    });
    let driven = worker.clone();
    tokio::task::spawn_local(async move { driven.isolate.run().await });
    worker.attend(mail).await;
}
