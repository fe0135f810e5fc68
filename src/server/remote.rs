//! What other threads share with a worker, so that they can replace it when its own thread is lost.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Poll;

use tokio::sync::{oneshot, watch};

use super::Pool;
use super::accepted::Accepted;
use super::connection_table::ConnectionTable;
use super::pool::Code;
use super::worker_thread::Loaded;
use crate::lines::Hub;
use liveline_compiler::Diagnostic;
use liveline_proto::{CloseCode, ExchangeId, OwnerId};

/// See the module.
pub(super) struct Remote {
    pub connections: Arc<ConnectionTable>,
    /// Connections on their way to it.
    arriving: Mutex<VecDeque<Accepted>>,
    loading: Mutex<Loading>,
    /// The code that it loads and runs.
    code: Mutex<Option<Arc<Code>>>,
    is_ready: OnceLock<()>,
    lost: watch::Sender<bool>,
    thread: OnceLock<Thread>,
}

/// A load in progress.
#[derive(Default)]
struct Loading {
    /// Where the outcome is sent.
    outcome: Option<oneshot::Sender<Loaded>>,
    /// The file whose code runs.
    file: Option<PathBuf>,
}

impl Remote {
    pub(super) fn new() -> Remote {
        let lost = watch::Sender::new(false);
        let (connections, arriving, loading) = Default::default();
        let (code, is_ready, thread) = Default::default();
        Remote { connections, arriving, loading, code, is_ready, lost, thread }
    }

    /// Sets the code that the worker loads, and where it sends the outcome.
    pub(super) fn begin_load(&self, code: Arc<Code>, loaded: oneshot::Sender<Loaded>) {
        self.set_code(code);
        lock(&self.loading).outcome = Some(loaded);
    }

    /// Sets the code that the worker runs from now on.
    pub(super) fn set_code(&self, code: Arc<Code>) {
        *lock(&self.code) = Some(code);
    }

    /// The code that the worker loads and runs.
    pub(super) fn code(&self) -> Option<Arc<Code>> {
        lock(&self.code).clone()
    }

    /// Sets the file that is being loaded.
    pub(super) fn set_loading_file(&self, file: PathBuf) {
        lock(&self.loading).file = Some(file);
    }

    /// Sends the outcome of the load.
    pub(super) fn end_load(&self, loaded: Loaded) {
        if loaded.result.is_ok() {
            let _ = self.is_ready.set(());
        }
        let sender = lock(&self.loading).outcome.take();
        if let Some(sender) = sender {
            let _ = sender.send(loaded);
        }
    }

    /// Waits until the load is cancelled.
    pub(super) async fn load_cancelled(&self) {
        std::future::poll_fn(|cx| match &mut lock(&self.loading).outcome {
            Some(loaded) => loaded.poll_closed(cx),
            None => Poll::Pending,
        })
        .await;
    }

    /// Whether it has loaded its code.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.get().is_some()
    }

    /// Sends a connection to the worker's thread.
    pub(super) fn send(&self, connection: Accepted) {
        lock(&self.arriving).push_back(connection);
    }

    /// Receives the next connection.
    pub(super) fn next_arriving(&self) -> Option<Accepted> {
        lock(&self.arriving).pop_front()
    }

    /// Takes back all connections that have not been received.
    pub(super) fn take_arriving(&self) -> VecDeque<Accepted> {
        std::mem::take(&mut *lock(&self.arriving))
    }

    /// Sets the worker's thread, which has to be the one that calls this.
    pub(super) fn set_thread(&self) {
        let _ = self.thread.set(Thread::current());
    }

    /// Marks the worker as lost. Its thread gets the lowest priority, since it does not come back.
    fn set_lost(&self) {
        self.lost.send_replace(true);
        if let Some(thread) = self.thread.get() {
            thread.yield_to_others();
        }
    }

    /// Fails the load, if there is one. Returns whether there was.
    fn fail_load(&self) -> bool {
        let Loading { outcome, file } = std::mem::take(&mut *lock(&self.loading));
        let Some(outcome) = outcome else { return false };
        let files = file.iter().cloned().collect();
        let file = file.map_or_else(|| "the handlers".to_owned(), |file| file.display().to_string());
        let error = Diagnostic::new(format!(
            "{file}: its top-level code runs on in something that JavaScript cannot be interrupted in"
        ));
        let _ = outcome.send(Loaded {
            files,
            is_stuck: true,
            imports: Default::default(),
            exports: Default::default(),
            result: Err(vec![error]),
        });
        true
    }

    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Waits until the worker is lost.
    pub(super) async fn lost(&self) {
        // There is a sender for as long as this is polled.
        let _ = self.lost.subscribe().wait_for(|is_lost| *is_lost).await;
    }

    /// Replaces the worker, whose code runs and cannot be stopped, and ends its connections and lines. Called from another
    /// thread than its own.
    pub(super) fn lose(&self, pool: Option<&Pool>, hub: &Hub, owner: OwnerId, exchange: Option<ExchangeId>) {
        // A worker that was still loading is not replaced: its replacement would get stuck, too.
        let was_loading = self.fail_load();
        if let Some(pool) = pool.filter(|_| !was_loading) {
            pool.replace_lost(owner);
        }
        self.set_lost();
        if !was_loading {
            let abandoned = self.connections.end_all();
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
        for connection in self.take_arriving() {
            pool.accept(connection);
        }
        pool.lost_isolate();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while this is locked")
}

/// The id of a thread in the system.
struct Thread {
    #[cfg(target_os = "linux")]
    id: rustix::process::Pid,
}

impl Thread {
    fn current() -> Thread {
        Thread {
            #[cfg(target_os = "linux")]
            id: rustix::thread::gettid(),
        }
    }

    /// Gives the thread the lowest priority, where the system can do that for one thread.
    fn yield_to_others(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(Some(self.id), LOWEST_PRIORITY) {
            tracing::debug!("the thread of a lost isolate keeps its priority: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: i32 = 19;
