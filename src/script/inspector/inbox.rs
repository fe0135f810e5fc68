//! What debuggers send to an isolate, on its way to the isolate's thread.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;

use deno_core::v8;
use tokio::sync::mpsc;

/// A function that V8 calls at the next point where running code can be interrupted.
pub(super) type InterruptCallback = unsafe extern "C" fn(v8::UnsafeRawIsolatePtr, *mut c_void);

/// See the module.
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
    isolate: v8::IsolateHandle,
    /// Handles input while code runs.
    interrupt: InterruptCallback,
    opened: AtomicU64,
}

#[derive(Default)]
struct Queue {
    inputs: VecDeque<Input>,
    /// Wakes the isolate's event loop.
    waker: Option<Waker>,
}

/// The number of a debugger's session with an isolate.
pub(super) type SessionId = u64;

/// One step of a session.
pub(super) enum Input {
    /// It opens. The isolate's messages go to the sender, which is dropped when the isolate ends.
    Open(SessionId, mpsc::UnboundedSender<String>),
    Message(SessionId, String),
    Close(SessionId),
    /// Code that waits for a debugger runs.
    Run,
}

impl Inbox {
    pub(super) fn new(isolate: v8::IsolateHandle, interrupt: InterruptCallback) -> Inbox {
        let (queue, arrived, opened) = Default::default();
        Inbox { queue, arrived, isolate, interrupt, opened }
    }

    /// Opens a session, from any thread. The second part has what the isolate sends.
    pub(super) fn open(self: &Arc<Self>) -> (Session, mpsc::UnboundedReceiver<String>) {
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let (sender, from_isolate) = mpsc::unbounded_channel();
        self.send(Input::Open(id, sender));
        (Session { inbox: self.clone(), id }, from_isolate)
    }

    pub(super) fn send(&self, input: Input) {
        let mut queue = self.queue();
        queue.inputs.push_back(input);
        let waker = queue.waker.take();
        drop(queue);
        self.arrived.notify_one();
        waker.into_iter().for_each(Waker::wake);
        self.isolate.request_interrupt(self.interrupt, std::ptr::null_mut());
    }

    /// The next input, for the event loop. If there is none, the waker is woken by the next.
    pub(super) fn poll(&self, waker: &Waker) -> Option<Input> {
        let mut queue = self.queue();
        let input = queue.inputs.pop_front();
        queue.waker = input.is_none().then(|| waker.clone());
        input
    }

    /// The next input, for code that runs.
    pub(super) fn next(&self) -> Option<Input> {
        self.queue().inputs.pop_front()
    }

    /// Blocks until the next input.
    pub(super) fn wait(&self) -> Input {
        let mut queue = self.queue();
        loop {
            if let Some(input) = queue.inputs.pop_front() {
                return input;
            }
            queue = self.arrived.wait(queue).expect("nothing panics while the queue is locked");
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while the queue is locked")
    }
}

/// The debugger's end of a session. Dropping it closes the session: code that is paused goes on.
pub(super) struct Session {
    inbox: Arc<Inbox>,
    id: SessionId,
}

impl Session {
    pub(super) fn send(&self, message: String) {
        self.inbox.send(Input::Message(self.id, message));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inbox.send(Input::Close(self.id));
    }
}
