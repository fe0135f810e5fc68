//! V8's inspector of one isolate: dispatches the messages of debuggers, also while code is paused.
//!
//! The inspector of deno_core is not used: it cannot pause code that a debugger's own message runs, as an expression of
//! the console does, and its isolate hangs from then on.
#![expect(unsafe_code, reason = "V8 calls back, with pointers to the isolate")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use deno_core::v8::inspector::{
    Channel, ChannelImpl, StringBuffer, StringView, V8Inspector, V8InspectorClient, V8InspectorClientImpl,
    V8InspectorClientTrustLevel, V8InspectorSession,
};
use deno_core::{JsRuntime, v8};
use tokio::sync::mpsc;

use super::inbox::{Inbox, Input, SessionId};

/// The group of all contexts of an isolate.
const GROUP: i32 = 1;

/// What an editor reads of a context: it is the one of the program.
const MAIN_CONTEXT: &[u8] = br#"{"isDefault":true,"type":"default"}"#;

/// The last message to a session. Paused code goes on if no other session would pause it.
const DISABLE: &[u8] = br#"{"id":0,"method":"Debugger.disable"}"#;

/// The inspector of an isolate. It is used on the isolate's thread, and dropped before the isolate.
pub(super) struct Debuggee(Rc<Inner>);

struct Inner {
    inbox: Arc<Inbox>,
    isolate: v8::UnsafeRawIsolatePtr,
    /// None once the debuggee is dropped, like the inspector.
    context: RefCell<Option<v8::Global<v8::Context>>>,
    inspector: RefCell<Option<Rc<V8Inspector>>>,
    sessions: RefCell<HashMap<SessionId, Rc<V8InspectorSession>>>,
    is_paused: Cell<bool>,
    /// Code waits until a debugger lets it run.
    waits: Cell<bool>,
    /// The session of the last message.
    last: Cell<Option<SessionId>>,
}

impl Debuggee {
    /// For the isolate of a runtime.
    pub(super) fn new(runtime: &mut JsRuntime) -> Debuggee {
        let context = runtime.main_context();
        let isolate = runtime.v8_isolate();
        let inbox = Arc::new(Inbox::new(isolate.thread_safe_handle(), interrupt));
        // SAFETY: the pointer is used only in callbacks of this isolate.
        let pointer = unsafe { isolate.as_raw_isolate_ptr() };
        let (inspector, sessions, is_paused, waits, last) = Default::default();
        let context = RefCell::new(Some(context));
        let inner =
            Rc::new(Inner { inbox, isolate: pointer, context, inspector, sessions, is_paused, waits, last });
        isolate.set_slot(inner.clone());
        let client = V8InspectorClient::new(Box::new(Client(inner.clone())));
        deno_core::scope!(scope, runtime);
        let inspector = V8Inspector::create(scope, client);
        let context = scope.get_current_context();
        let (name, kind) = (StringView::from(&b"handlers"[..]), StringView::from(MAIN_CONTEXT));
        inspector.context_created(context, GROUP, name, kind);
        inner.inspector.replace(Some(Rc::new(inspector)));
        Debuggee(inner)
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.0.inbox
    }

    /// Dispatches what has arrived. The waker is woken when more does.
    pub(super) fn poll(&self, waker: &Waker) {
        while let Some(input) = self.0.inbox.poll(waker) {
            self.0.process(input);
        }
    }

    /// Blocks until a debugger lets the code run. Then the next statement pauses.
    pub(super) fn wait(&self) {
        let inner = &self.0;
        inner.waits.set(true);
        while inner.waits.get() {
            inner.process(inner.inbox.wait());
        }
        let session = inner.last.get().and_then(|id| inner.session(id));
        if let Some(session) = session {
            let reason = StringView::from(&b"Break on start"[..]);
            session.schedule_pause_on_next_statement(reason, StringView::empty());
        }
    }
}

impl Drop for Debuggee {
    fn drop(&mut self) {
        // Sessions refer to the inspector, which refers to the context.
        self.0.sessions.take();
        self.0.inspector.take();
        self.0.context.take();
    }
}

impl Inner {
    fn process(&self, input: Input) {
        match input {
            Input::Open(id, sender) => {
                let Some(inspector) = self.inspector.borrow().clone() else { return };
                let channel = Channel::new(Box::new(Sender(sender)));
                let trust = V8InspectorClientTrustLevel::FullyTrusted;
                let session = inspector.connect(GROUP, channel, StringView::empty(), trust);
                self.sessions.borrow_mut().insert(id, Rc::new(session));
            }
            Input::Message(id, message) => {
                self.last.set(Some(id));
                self.dispatch(id, message.as_bytes());
            }
            Input::Close(id) => {
                // The session may have code paused that one of its own messages runs.
                self.dispatch(id, DISABLE);
                self.sessions.borrow_mut().remove(&id);
            }
            Input::Run => self.waits.set(false),
        }
    }

    fn dispatch(&self, id: SessionId, message: &[u8]) {
        if let Some(session) = self.session(id) {
            session.dispatch_protocol_message(StringView::from(message));
        }
    }

    fn session(&self, id: SessionId) -> Option<Rc<V8InspectorSession>> {
        self.sessions.borrow().get(&id).cloned()
    }
}

/// Dispatches what has arrived while code runs.
unsafe extern "C" fn interrupt(isolate: v8::UnsafeRawIsolatePtr, _: *mut c_void) {
    // SAFETY: V8 passes the isolate that is running on this thread.
    let isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    let Some(inner) = isolate.get_slot::<Rc<Inner>>().cloned() else { return };
    while let Some(input) = inner.inbox.next() {
        inner.process(input);
    }
}

/// What V8 calls.
struct Client(Rc<Inner>);

impl V8InspectorClientImpl for Client {
    fn run_message_loop_on_pause(&self, _group: i32) {
        self.0.is_paused.set(true);
        while self.0.is_paused.get() {
            self.0.process(self.0.inbox.wait());
        }
    }

    fn quit_message_loop_on_pause(&self) {
        self.0.is_paused.set(false);
    }

    fn run_if_waiting_for_debugger(&self, _group: i32) {
        self.0.waits.set(false);
    }

    fn ensure_default_context_in_group(&self, _group: i32) -> Option<v8::Local<'_, v8::Context>> {
        let context = self.0.context.borrow().clone()?;
        // SAFETY: V8 calls this on the thread of the isolate, which lives.
        let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(self.0.isolate) };
        let isolate = &mut isolate;
        // SAFETY: V8 has opened a scope for handles before it calls.
        v8::callback_scope!(unsafe scope, isolate);
        let context = v8::Local::new(scope, context);
        // SAFETY: the handle is one of the scope of V8, which outlives this call.
        Some(unsafe { context.extend_lifetime_unchecked() })
    }
}

/// Sends what the isolate has for a debugger.
struct Sender(mpsc::UnboundedSender<String>);

impl Sender {
    fn send(&self, message: v8::UniquePtr<StringBuffer>) {
        if let Some(message) = message.as_ref() {
            // The receiver is gone if the debugger is.
            let _ = self.0.send(message.string().to_string());
        }
    }
}

impl ChannelImpl for Sender {
    fn send_response(&self, _call: i32, message: v8::UniquePtr<StringBuffer>) {
        self.send(message);
    }

    fn send_notification(&self, message: v8::UniquePtr<StringBuffer>) {
        self.send(message);
    }

    fn flush_protocol_notifications(&self) {}
}
