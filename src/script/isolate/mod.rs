//! One `JsRuntime` and the few functions that enter it.

mod debug;
mod deliver;
mod dispatch;
mod functions;
mod load;
mod recover;
mod rehearsal;
mod renewal;
mod runtime;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use deno_core::error::{CoreError, CoreErrorKind};
use deno_core::v8;
use deno_core::{JsRuntime, JsRuntimeForSnapshot, OpState, PollEventLoopOptions, RuntimeOptions};
use tokio::sync::Notify;

pub(crate) use dispatch::Dispatched;

use self::functions::{Function, Functions};
use self::recover::guard_heap;
use self::runtime::Runtime;
use super::engine::{self, Microtasks, Terminator};
use super::half::Half;
use super::heaps::{self, Disposal, Place};
use super::inspector::{DebugTime, Listed};
use super::loader::Loader;
use super::provided::Provided;
use super::watchdog::{self, ExecutionCounter, RunLimits, TerminationReason, Watched};
use super::{embedded, snapshot};
use crate::config::IsolateLimits;
use crate::dialect::Exports;
use crate::ext::{Access, Background, Exchanges, Memory, Running, Streams, from_js_error};
use crate::lines::Meanwhile;
use crate::metrics::Heap;
use liveline_compiler::Diagnostic;
use liveline_proto::ExchangeId;
use liveline_store::Databases;

/// When nothing ran for this long, the heap is tidied.
const QUIET: Duration = Duration::from_millis(500);

/// A collection of a smaller heap, in bytes, takes some milliseconds.
const SMALL_HEAP: usize = 16 << 20;

/// A heap that grew by fewer bytes since it was last tidied is not tidied.
const WORTH_TIDYING: usize = 1 << 20;

/// A JavaScript runtime as the rest of the host uses it. All calls happen on the thread that made it.
pub(crate) struct Isolate {
    // Handles into the heap are dropped before the runtime that owns it.
    functions: Functions,
    microtasks: Microtasks,
    /// The isolate as a target of debuggers.
    listed: RefCell<Option<Listed>>,
    debug_time: DebugTime,
    _disposal: Disposal,
    runtime: RefCell<Runtime>,
    /// Outlives the runtime.
    _place: Place,
    state: Rc<RefCell<OpState>>,
    loader: Rc<Loader>,
    /// The project's folder.
    project: PathBuf,
    /// Outlives the runtime, which reports its collections to it.
    memory: Memory,
    counter: Arc<ExecutionCounter>,
    terminator: Terminator,
    /// The exports of each handler that was loaded, by its id.
    exports: RefCell<HashMap<u32, Exports>>,
    /// Whether requests are checked for cross-site requests, by handler, for those handlers that export a setting.
    csrf: RefCell<HashMap<u32, bool>>,
    /// The handlers whose WebSockets pages of every origin may open.
    open_to_all: RefCell<HashSet<u32>>,
    limits: IsolateLimits,
    /// Wakes the task that drives the event loop.
    waker: RefCell<Option<Waker>>,
    /// The heap was full, and is to be looked at before the next turn. Holds V8's limit, in bytes, to be set again.
    near_limit: Rc<Cell<Option<usize>>>,
    /// The effects of a turn are applied. The turns that this takes belong to that turn.
    is_ending: Cell<bool>,
    /// Whether `look_at_heap` has measured the heap and is to measure it once more.
    looked: Cell<bool>,
    /// What the handlers keep exceeds the heap's limit by more than half: not even the open lines can go on.
    is_spent: Cell<bool>,
    filled: Notify,
    /// How often in a row the terminated code ran for no exchange, or for one that had ended.
    strikes: Cell<u32>,
    /// Why code was terminated that belongs to no exchange, such as a module that loads.
    stopped_outside: Cell<Option<TerminationReason>>,
    /// Whether a caller waits for the last exchange to end.
    announces_idle: Cell<bool>,
    idle: Notify,
}

impl Isolate {
    /// The name of the engine that this executable was built with.
    pub(crate) const ENGINE: &str = engine::NAME;

    /// Starts the engine. Call it once, on the main thread: the threads of isolates must descend from the thread that
    /// called it, because V8 protects its memory by thread.
    ///
    /// No WebAssembly memory grows beyond `max_heap` bytes, if that is given.
    pub(crate) fn init_engine(max_heap: Option<u64>) {
        engine::set_flags(max_heap);
        engine::start();
        // fetch() over TLS needs a default provider. An error means that this one is installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }

    /// Finds what all isolates start from, on a thread of its own: the main thread has a configuration to read meanwhile.
    pub(crate) fn prepare_start() {
        let find = || {
            let half = Half::next();
            snapshot::kept(half);
            embedded::lazy(half);
        };
        // Without the thread, the first isolate finds it.
        let _ = std::thread::Builder::new().name("liveline-start".to_owned()).spawn(find);
    }

    /// Starts a runtime with the host's own JavaScript and no handlers, for the project of `access`. Needs a tokio
    /// context. `lost` is called from another thread if the isolate's code runs on and cannot be stopped, with
    /// the exchange that it runs for, if that is known.
    pub(crate) fn new(
        access: &Access,
        limits: IsolateLimits,
        exchanges: Exchanges,
        databases: Databases,
        lost: impl Fn(Option<ExchangeId>) + Send + 'static,
    ) -> Result<Isolate, CoreError> {
        let half = Half::next();
        let start = Start { half, access, limits, exchanges, databases, is_for_snapshot: false };
        Isolate::start_engine(start, lost)
    }

    /// Starts a runtime whose heap [`Isolate::into_heap`] keeps, for `half`. Its functions stay where later isolates find
    /// them.
    pub(super) fn for_snapshot(
        half: Half,
        access: &Access,
        limits: IsolateLimits,
        exchanges: Exchanges,
        databases: Databases,
    ) -> Result<Isolate, CoreError> {
        let start = Start { half, access, limits, exchanges, databases, is_for_snapshot: true };
        Isolate::start_engine(start, |_| ())
    }

    fn start_engine(
        start: Start<'_>,
        lost: impl Fn(Option<ExchangeId>) + Send + 'static,
    ) -> Result<Isolate, CoreError> {
        let Start { half, access, limits, exchanges, databases, is_for_snapshot } = start;
        let loader = Rc::new(Loader::of(access, half));
        let lazy = embedded::lazy(half);
        let watched =
            Duties { sockets: RefCell::new(Meanwhile::new(exchanges.hub(), exchanges.owner())), lost };
        let memory = Memory::new(limits.heap);
        let options = RuntimeOptions {
            module_loader: Some(loader.clone()),
            extensions: embedded::extensions(
                exchanges,
                databases,
                memory.clone(),
                access,
                &loader,
                half,
                is_for_snapshot,
            ),
            residual_lazy_js_sources: lazy.scripts,
            residual_lazy_esm_sources: lazy.modules,
            ..Default::default()
        };
        let kept = if is_for_snapshot { None } else { snapshot::kept(half) };
        let (runtime, disposal, place) = heaps::start(kept.map(|_| half), |fits| -> Result<_, CoreError> {
            if is_for_snapshot {
                return Ok(Runtime::Kept(JsRuntimeForSnapshot::try_new(options)?));
            }
            let snapshot = kept.filter(|_| fits);
            Ok(Runtime::Serving(JsRuntime::try_new(RuntimeOptions {
                startup_snapshot: snapshot,
                skip_op_registration: snapshot.is_some(),
                create_params: Some(engine::params(limits.heap, &memory)),
                ..options
            })?))
        });
        let mut runtime = runtime?;
        let counter = Arc::new(ExecutionCounter::default());
        let (terminator, microtasks) = engine::prepare(&mut runtime, &counter, &memory);
        let debug_time = DebugTime::default();
        let near_limit = Rc::default();
        let functions = Functions::of(&mut runtime);
        // The host's own requests before a snapshot need no watch, and nothing else may hold the kept heap.
        if !is_for_snapshot {
            let run_limits = RunLimits::new(limits.cpu);
            watchdog::watch(&counter, terminator.clone(), run_limits, debug_time.clone(), watched);
            let stopping = terminator.clone();
            memory.on_full(move || stopping.heap_is_full());
            engine::follow_memory(&mut runtime, &memory);
            guard_heap(&mut runtime, &near_limit, &memory);
            functions.begin(&mut runtime);
        }
        let state = runtime.op_state();
        state.borrow_mut().put(Provided::of(access.project()));
        Ok(Isolate {
            functions,
            microtasks,
            listed: RefCell::default(),
            debug_time,
            _disposal: disposal,
            runtime: RefCell::new(runtime),
            _place: place,
            state,
            loader,
            project: access.project().to_owned(),
            memory,
            counter,
            terminator,
            csrf: RefCell::default(),
            exports: RefCell::default(),
            open_to_all: RefCell::default(),
            limits,
            waker: RefCell::default(),
            near_limit,
            is_ending: Cell::default(),
            looked: Cell::default(),
            is_spent: Cell::default(),
            filled: Notify::new(),
            strikes: Cell::default(),
            stopped_outside: Cell::default(),
            announces_idle: Cell::default(),
            idle: Notify::new(),
        })
    }

    /// Whether the last load met a module that needs Node's half, which this isolate lacks. Isolates that are made from
    /// now on have it.
    pub(crate) fn lacks_node(&self) -> bool {
        self.loader.lacks_node()
    }

    /// Loads the web's classes that most handlers use, unless they are loaded already.
    pub(crate) fn warm(&self) {
        self.enter(|scope, functions| {
            functions.call(scope, Function::Warm, &[]);
        });
    }

    /// Prepares for code that is to load later: what V8 makes of the host's functions when they are first called.
    pub(crate) fn prepare_load(&self) {
        self.warm();
        self.enter(|scope, functions| {
            functions.call(scope, Function::PrepareLoad, &[]);
        });
        if let Err(error) = self.rehearse_again() {
            tracing::warn!("the first request after the next load takes longer: {}", describe(&error));
        }
    }

    /// Drives timers, promises and asynchronous ops. Never ready, because another request may always come.
    pub(crate) async fn run(&self) {
        std::future::poll_fn(|cx| {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            if let Poll::Ready(Err(error)) = self.poll(cx) {
                tracing::error!(target: "liveline::handler", "uncaught error: {}", describe(&error));
                // The error ended this round early.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// How full the heap is.
    pub(crate) fn heap(&self) -> Heap {
        let mut runtime = self.runtime.borrow_mut();
        let isolate = runtime.v8_isolate();
        self.memory.look(isolate);
        let used = isolate.get_heap_statistics().used_heap_size();
        Heap { used, limit: self.memory.limit(), external: self.memory.outside() }
    }

    /// Sets whether frames that turns send on lines are held back until the end of a later turn.
    pub(crate) fn hold_back(&self, holds_back: bool) {
        self.with_exchanges(|exchanges| exchanges.hold_back(holds_back));
    }

    /// Collects garbage whenever nothing ran for a while: V8 collects as code allocates, and idle lines allocate
    /// nothing. V8 does the work in small steps, as the event loop is polled. Never ready.
    pub(crate) async fn tidy(&self) {
        let (mut count, mut kept) = (0, 0);
        loop {
            tokio::time::sleep(QUIET).await;
            if std::mem::replace(&mut count, self.counter.count()) != self.counter.count() {
                continue;
            }
            let mut runtime = self.runtime.borrow_mut();
            let isolate = runtime.v8_isolate();
            self.memory.look(isolate);
            self.memory.tell_of_stores(isolate);
            let heap = isolate.get_heap_statistics().used_heap_size();
            let used = heap + self.memory.outside();
            if used > kept + WORTH_TIDYING.max(kept / 8) {
                // Collecting large buffers takes little time where the heap itself is small.
                let level = match heap < SMALL_HEAP && self.memory.outside() > heap {
                    true => v8::MemoryPressureLevel::Critical,
                    false => v8::MemoryPressureLevel::Moderate,
                };
                isolate.memory_pressure_notification(level);
                kept = used;
            }
            kept = kept.min(used);
        }
    }

    /// Whether no exchange is left, and no work that belongs to none.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.borrow();
        let is_idle = state.borrow::<Background>().is_idle() && state.borrow::<Running>().is_idle();
        drop(state);
        is_idle && self.with_exchanges(|exchanges| exchanges.is_empty())
    }

    /// Waits until no exchange is left. Needs [`Isolate::announce_idle`].
    pub(crate) async fn idle(&self) {
        self.idle.notified().await;
    }

    /// From now on the end of the last exchange is announced.
    pub(crate) fn announce_idle(&self) {
        self.announces_idle.set(true);
    }

    /// Ends the handlers' event streams, and every one that is opened later.
    pub(crate) fn end_events(&self) {
        self.state.borrow_mut().borrow_mut::<Streams>().stop();
    }

    /// Waits until the heap is full of live objects, even if the code that filled it was terminated.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether live objects exceed the heap's limit by more than half.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    /// Answers the exchanges that have no answer; the isolate will not run again.
    pub(crate) fn give_up(&self) {
        if !self.counter.is_lost() {
            self.enter(|scope, functions| {
                functions.call(scope, Function::Dispose, &[]);
            });
        }
        self.with_exchanges(Exchanges::give_up);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), CoreError>> {
        if self.counter.is_lost() {
            return Poll::Pending;
        }
        self.look_at_heap();
        self.actor_mail(cx);
        self.counter.set_exchange(None);
        let polled = {
            let mut runtime = self.runtime.borrow_mut();
            let _running = self.counter.enter();
            if let Some(listed) = &*self.listed.borrow() {
                listed.poll(cx.waker());
            }
            runtime.poll_event_loop(cx, PollEventLoopOptions::default())
        };
        if self.turn_ended() {
            // The error comes from the terminated code, and was reported.
            return Poll::Pending;
        }
        if self.state.borrow().borrow::<Running>().wants_turn() {
            // A timer or a finished op of this poll has let an actor go on.
            cx.waker().wake_by_ref();
        }
        polled
    }

    /// Delivers mail of actors, if there is any.
    fn actor_mail(&self, cx: &mut Context<'_>) {
        if !self.state.borrow_mut().borrow_mut::<Running>().poll_mail(cx) {
            return;
        }
        self.counter.set_exchange(None);
        self.enter(|scope, functions| {
            functions.call(scope, Function::ActorMail, &[]);
        });
    }

    /// Runs one turn: `enter`, then microtasks, then the effects of the turn on exchanges.
    fn enter(&self, enter: impl FnOnce(&mut v8::PinScope<'_, '_>, &Functions)) {
        if self.counter.is_lost() {
            return;
        }
        self.look_at_heap();
        {
            let mut runtime = self.runtime.borrow_mut();
            let _running = self.counter.enter();
            // Like `deno_core::scope!`, which makes a new handle on the context each time.
            v8::scope!(let scope, runtime.v8_isolate());
            let context = v8::Local::new(scope, &self.functions.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            enter(scope, &self.functions);
            scope.perform_microtask_checkpoint();
        }
        self.turn_ended();
        self.wake();
    }

    /// Wakes the event loop, which has not polled the timers and ops that a turn started.
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Applies the effects of a turn. Returns whether it was terminated.
    fn turn_ended(&self) -> bool {
        if self.counter.is_lost() {
            // The watchdog's thread has reported the loss, and no code may run here again.
            return true;
        }
        let reason = self.counter.take_reason();
        // The turns of a recovery may measure the heap already.
        let is_short = self.memory.take_shortage();
        if reason == Some(TerminationReason::Heap) || is_short {
            let limit = self.near_limit.get().unwrap_or(engine::highest_limit(self.limits.heap));
            self.near_limit.set(Some(limit));
        }
        let is_inner = self.is_ending.replace(true);
        if let Some(reason) = reason {
            self.recover(reason);
        }
        self.state.borrow_mut().borrow_mut::<Running>().commit();
        if self.memory.wants_collection() {
            self.runtime.borrow_mut().v8_isolate().low_memory_notification();
        }
        for ended in self.with_exchanges(Exchanges::turn_ended) {
            self.deliver_end(&ended);
        }
        self.with_exchanges(|exchanges| exchanges.flush());
        if self.announces_idle.get() && self.is_idle() {
            self.idle.notify_one();
        }
        self.is_ending.set(is_inner);
        if self.near_limit.get().is_some() {
            // `poll` looks at the heap when the answers of this turn have left.
            self.wake();
        }
        reason.is_some()
    }

    fn with_exchanges<R>(&self, f: impl FnOnce(&mut Exchanges) -> R) -> R {
        f(self.state.borrow_mut().borrow_mut::<Exchanges>())
    }
}

/// What an isolate is started with.
struct Start<'a> {
    half: Half,
    access: &'a Access,
    limits: IsolateLimits,
    exchanges: Exchanges,
    databases: Databases,
    is_for_snapshot: bool,
}

/// The watchdog's further duties for an isolate.
struct Duties<F> {
    sockets: RefCell<Meanwhile>,
    lost: F,
}

impl<F: Fn(Option<ExchangeId>) + Send> Watched for Duties<F> {
    fn meanwhile(&self) {
        self.sockets.borrow_mut().look();
    }

    fn lost(&self, exchange: Option<u64>) {
        (self.lost)(exchange.map(ExchangeId));
    }
}

fn describe(error: &CoreError) -> Diagnostic {
    match error.as_kind() {
        CoreErrorKind::Js(error) => from_js_error(error),
        _ => Diagnostic::new(error.print_with_cause()),
    }
}
