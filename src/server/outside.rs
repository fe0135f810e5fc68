//! What other threads hold of a worker, so that they can go on without it when its own thread no longer answers.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Poll;

use tokio::sync::{oneshot, watch};

use super::clients::Clients;
use super::pool::Code;
use super::worker::{Connection, Loaded};
use liveline_compiler::Diagnostic;

/// See the module.
pub(super) struct Outside {
    pub clients: Arc<Clients>,
    /// Connections on their way to it.
    arriving: Mutex<VecDeque<Connection>>,
    /// Who waits for its handlers to load, and the file that loads.
    loading: Mutex<(Option<oneshot::Sender<Loaded>>, Option<PathBuf>)>,
    /// What it loads, once that is known.
    code: OnceLock<Arc<Code>>,
    is_ready: OnceLock<()>,
    lost: watch::Sender<bool>,
    thread: OnceLock<Thread>,
}

impl Outside {
    pub(super) fn new() -> Outside {
        let lost = watch::Sender::new(false);
        let (clients, arriving, loading) = Default::default();
        let (code, is_ready, thread) = Default::default();
        Outside { clients, arriving, loading, code, is_ready, lost, thread }
    }

    /// The worker is to load this, and to tell how that went.
    pub(super) fn loads(&self, code: Arc<Code>, loaded: oneshot::Sender<Loaded>) {
        let _ = self.code.set(code);
        lock(&self.loading).0 = Some(loaded);
    }

    /// What the worker runs.
    pub(super) fn code(&self) -> Option<Arc<Code>> {
        self.code.get().cloned()
    }

    /// This file is loaded now.
    pub(super) fn loads_file(&self, file: PathBuf) {
        lock(&self.loading).1 = Some(file);
    }

    /// Tells how loading went, once.
    pub(super) fn has_loaded(&self, loaded: Loaded) {
        if loaded.result.is_ok() {
            let _ = self.is_ready.set(());
        }
        if let Some(sender) = lock(&self.loading).0.take() {
            let _ = sender.send(loaded);
        }
    }

    /// Waits until nobody waits for its handlers any more.
    pub(super) async fn nobody_waits(&self) {
        std::future::poll_fn(|cx| match &mut lock(&self.loading).0 {
            Some(loaded) => loaded.poll_closed(cx),
            None => Poll::Pending,
        })
        .await;
    }

    /// Whether it serves already.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.get().is_some()
    }

    /// Puts a connection on its way. It is taken by the worker's thread, or by who answers for it.
    pub(super) fn send(&self, connection: Connection) {
        lock(&self.arriving).push_back(connection);
    }

    /// The connection that arrives next.
    pub(super) fn next_arriving(&self) -> Option<Connection> {
        lock(&self.arriving).pop_front()
    }

    /// All that are on their way.
    pub(super) fn take_arriving(&self) -> VecDeque<Connection> {
        std::mem::take(&mut *lock(&self.arriving))
    }

    /// Notes which thread it is. Call it from there.
    pub(super) fn is_of_this_thread(&self) {
        let _ = self.thread.set(Thread::current());
    }

    /// Its thread does not come back: other threads get the time that it uses.
    pub(super) fn is_lost_now(&self) {
        self.lost.send_replace(true);
        if let Some(thread) = self.thread.get() {
            thread.yield_to_others();
        }
    }

    /// Tells whoever waits for it to load that it will not. Says whether somebody did.
    pub(super) fn does_not_load(&self) -> bool {
        let (loaded, file) = std::mem::take(&mut *lock(&self.loading));
        let Some(loaded) = loaded else { return false };
        let files = file.iter().cloned().collect();
        let file = file.map_or_else(|| "the handlers".to_owned(), |file| file.display().to_string());
        let error = Diagnostic::new(format!(
            "{file}: its top-level code runs on in something that JavaScript cannot be interrupted in"
        ));
        let _ = loaded.send(Loaded {
            files,
            is_stuck: true,
            imports: Default::default(),
            result: Err(vec![error]),
        });
        true
    }

    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Waits until it is lost, which may never be.
    pub(super) async fn lost(&self) {
        // There is a sender for as long as this is polled.
        let _ = self.lost.subscribe().wait_for(|is_lost| *is_lost).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while connections are handed over")
}

/// A thread as the system knows it.
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

    /// Gives it the lowest priority, where that can be done for one thread.
    fn yield_to_others(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(Some(self.id), LOWEST_PRIORITY) {
            tracing::debug!("the thread of a lost isolate keeps its priority: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: i32 = 19;
