//! One `JsRuntime` and the few functions that enter it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::iter;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use deno_core::error::{CoreError, CoreErrorKind};
use deno_core::v8;
use deno_core::{JsRuntime, ModuleId, ModuleSpecifier, OpState, PollEventLoopOptions, RuntimeOptions};
use hyper::StatusCode;
use tokio::sync::Notify;

use super::loader::Loader;
#[cfg(feature = "v8")]
use super::microtasks::SpareQueue;
use super::site::Site;
use super::sources::Sources;
use super::stall::{Schedule, Stall};
use super::survey::Survey;
use super::values::{exported_boolean, json_or_null, message, method_name, string};
use super::watchdog::{self, ExecutionCounter, RunLimits, Terminator, TerminationReason, Watched};
use super::{embedded, fatal, snapshot};
use crate::config::Limits;
use crate::ext::{
    Answer, Begun, Call, Exchanges, Memory, Streams, Unanswered, current_exchange, from_exception,
    from_js_error,
};
use crate::lines::{Hub, LineEvent};
use crate::metrics::Heap;
use crate::router::{Handler, Layer, NodeId, PageId, Step, segments};
use liveline_compiler::Diagnostic;
use liveline_proto::{Close, CloseCode, Event, ExchangeId};
use liveline_store::Databases;

/// What an isolate at its heap limit may still allocate until it has stopped; without it V8 would end the process.
const HEAP_TO_UNWIND: usize = 1 << 30;

/// WebAssembly's memories grow by so many bytes, up to so many times.
const WASM_PAGE: u64 = 1 << 16;
const MAX_WASM_PAGES: u64 = 1 << 16;
/// An isolate whose heap was full goes on if so much of it is free without the garbage: one in so many parts.
const HEAP_TO_GO_ON: usize = 4;

/// So many times code is stopped that runs on for an exchange that was stopped before, until the microtasks of the
/// turn are given up, which may be what it goes on with.
const STRIKES: u32 = 4;

/// How long messages that came together may take before the event loop has its turn.
const TURN: Duration = Duration::from_millis(5);
/// When nothing ran for so long, the heap is tidied.
const QUIET: Duration = Duration::from_secs(2);

/// A heap of less is looked through in some milliseconds.
const SMALL_HEAP: usize = 16 << 20;

/// A heap that grew by less since it was tidied last is left as it is.
const WORTH_TIDYING: usize = 1 << 20;

/// JavaScript, from outside. All calls happen on the thread that made it.
pub(crate) struct Isolate {
    // Handles into the heap go before the runtime that owns it.
    functions: Functions,
    #[cfg(feature = "v8")]
    spare: SpareQueue,
    runtime: RefCell<JsRuntime>,
    state: Rc<RefCell<OpState>>,
    loader: Rc<Loader>,
    /// The project's folder.
    project: PathBuf,
    /// Outlives the runtime, which tells it of collections.
    memory: Memory,
    counter: Arc<ExecutionCounter>,
    terminator: Terminator,
    /// Handlers that say by themselves whether pages of other sites may send them their visitor's session.
    csrf: RefCell<HashMap<u32, bool>>,
    limits: Limits,
    /// Wakes the task that drives the event loop.
    waker: RefCell<Option<Waker>>,
    /// The heap came near its limit, which is this.
    near_limit: Rc<Cell<Option<usize>>>,
    /// Whether it was looked at how full the heap is, and is to be once more.
    looked: Cell<bool>,
    /// What is held for good is so much that the isolate cannot even finish.
    is_spent: Cell<bool>,
    filled: Notify,
    /// How often in a row code was stopped that ran for no exchange, or for one that had ended.
    strikes: Cell<u32>,
    /// Code was stopped that belongs to no exchange, as that of a module that loads.
    stopped_outside: Cell<Option<TerminationReason>>,
    /// Somebody waits for the last exchange to end.
    announces_idle: Cell<bool>,
    idle: Notify,
    hub: Hub,
    /// Another turn follows at once, whose words leave with those of this one.
    holds_back: Cell<bool>,
}

/// What the first turn of a request came to.
pub(crate) enum Dispatched {
    Answered(ExchangeId, Answer),
    Waiting(ExchangeId, Unanswered),
    Lost(ExchangeId),
}

struct Functions {
    /// Where they run.
    context: v8::Global<v8::Context>,
    add_handler: v8::Global<v8::Function>,
    bindings_of: v8::Global<v8::Function>,
    closed: v8::Global<v8::Function>,
    dispatch: v8::Global<v8::Function>,
    drained: v8::Global<v8::Function>,
    heard: v8::Global<v8::Function>,
    opened: v8::Global<v8::Function>,
    overhear: v8::Global<v8::Function>,
    receive: v8::Global<v8::Function>,
    relay: v8::Global<v8::Function>,
    render: v8::Global<v8::Function>,
    reply: v8::Global<v8::Function>,
    start: v8::Global<v8::Function>,
    stopped: v8::Global<v8::Function>,
    warm: v8::Global<v8::Function>,
}

impl Isolate {
    /// The engine that this was built with.
    pub(crate) const ENGINE: &str = if cfg!(feature = "v8") { "v8" } else { "quickjs" };

    /// Starts the engine. Call it once, on the main thread: the threads of isolates must descend from the one that
    /// did, because V8 protects its memory by thread.
    ///
    /// No WebAssembly memory grows beyond `max_heap` bytes, where that is known.
    pub(crate) fn init_engine(max_heap: Option<u64>) {
        // Loops that Turbofan takes over from Maglev while they run lose their interrupt checks if their bodies
        // allocate (seen with V8 15.0), and then nothing can stop them. Such a loop stays with Maglev.
        #[cfg(feature = "v8")]
        v8::V8::set_flags_from_string("--no-osr-from-maglev");
        #[cfg(feature = "v8")]
        if let Some(pages) = max_heap.map(|bytes| bytes / WASM_PAGE) {
            v8::V8::set_flags_from_string(&format!(
                "--wasm-max-mem-pages={}",
                pages.clamp(1, MAX_WASM_PAGES)
            ));
        }
        JsRuntime::init_platform(None);
        fatal::install();
        // fetch() over TLS needs one; that there is one already can only mean this one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }

    /// Starts a runtime with the host's own JavaScript and no handlers, for a project whose folder this is. Needs a tokio
    /// context. `lost` is called from another thread if its code runs on and cannot be stopped, with the exchange that
    /// it runs for, if that is known.
    pub(crate) fn new(
        project: &Path,
        limits: Limits,
        exchanges: Exchanges,
        databases: Databases,
        lost: impl Fn(Option<ExchangeId>) + Send + 'static,
    ) -> Result<Isolate, CoreError> {
        let loader = Rc::new(Loader::of(project));
        let hub = exchanges.hub();
        let snapshot = snapshot::kept();
        let memory = Memory::new(limits.heap);
        let params = v8::CreateParams::default().heap_limits(0, limits.heap);
        #[cfg(feature = "v8")]
        let params = params.array_buffer_allocator(memory.allocator());
        let mut runtime = JsRuntime::try_new(RuntimeOptions {
            module_loader: Some(loader.clone()),
            extensions: embedded::extensions(exchanges, databases, memory.clone()),
            residual_lazy_js_sources: embedded::SCRIPTS,
            startup_snapshot: snapshot,
            skip_op_registration: snapshot.is_some(),
            create_params: Some(params),
            ..Default::default()
        })?;
        #[cfg(feature = "v8")]
        runtime.v8_isolate().set_prepare_stack_trace_callback(super::stack::of_handlers);
        let counter = Arc::new(ExecutionCounter::default());
        // As in browsers, code that others wait for does not wait for a lock.
        #[cfg(feature = "v8")]
        runtime.v8_isolate().set_allow_atomics_wait(false);
        #[cfg(feature = "v8")]
        let spare = SpareQueue::new(&mut runtime);
        let terminator = Terminator::new(
            &mut runtime,
            &counter,
            #[cfg(feature = "v8")]
            spare.rescue(),
        );
        let watched = Flushing { hub: hub.clone(), lost };
        #[cfg(all(feature = "v8", target_os = "linux"))]
        fatal::guard_this_thread(&counter);
        watchdog::watch(&counter, terminator.clone(), RunLimits::new(limits.cpu), watched);
        let stopping = terminator.clone();
        memory.on_full(move || stopping.heap_is_full());
        #[cfg(feature = "v8")]
        memory.follow(runtime.v8_isolate());
        let near_limit = Rc::default();
        guard_heap(&mut runtime, &terminator, &near_limit, &memory);
        let functions = Functions::of(&mut runtime);
        let state = runtime.op_state();
        Ok(Isolate {
            functions,
            #[cfg(feature = "v8")]
            spare,
            runtime: RefCell::new(runtime),
            state,
            loader,
            project: project.to_owned(),
            memory,
            counter,
            terminator,
            csrf: RefCell::default(),
            limits,
            waker: RefCell::default(),
            near_limit,
            looked: Cell::default(),
            is_spent: Cell::default(),
            filled: Notify::new(),
            strikes: Cell::default(),
            stopped_outside: Cell::default(),
            announces_idle: Cell::default(),
            hub,
            holds_back: Cell::default(),
            idle: Notify::new(),
        })
    }

    /// Loads the web's classes that the host uses, as most handlers do, unless they are there already.
    pub(crate) fn warm(&self) {
        self.enter(|scope, functions| {
            call(scope, &functions.warm, &[]);
        });
    }

    /// Loads every handler of the server's layer. Reports every file that fails, not only the first. `loads` is told of
    /// each before it runs, `stalled` is called when one waits for a while.
    pub(crate) async fn load(
        &self,
        site: &Site,
        sources: Arc<Sources>,
        loads: impl Fn(PathBuf),
        stalled: impl Fn(&Stall),
    ) -> Result<(), Vec<Diagnostic>> {
        let routes = &site.routes;
        let code = sources.number();
        self.loader.load_from(sources);
        self.with_exchanges(|exchanges| exchanges.set_site(Box::new(site.clone()), code));
        // Before any code of handlers, which may change what is loaded later.
        self.warm();
        let mut failures: Vec<Diagnostic> = Vec::new();
        let mut survey = Survey::of(&self.project);
        for handler in routes.handlers().iter().filter(|handler| handler.layer == Layer::Server) {
            loads(handler.path.clone());
            if let Err(reasons) = self.load_handler(handler, &mut survey, &stalled).await {
                // Several handlers may import the same file.
                failures.extend(reasons.into_iter().filter(|it| !failures.contains(it)).collect::<Vec<_>>());
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        self.enter(|scope, functions| {
            let nodes = routes.nodes().iter().map(|node| {
                let own_page = node.own_page.map_or(-1, u32::cast_signed);
                let steps = node.steps.iter().flat_map(|step| [step.handler, step.depth]);
                let numbers = iter::once(own_page).chain(steps.map(u32::cast_signed));
                let numbers: Vec<_> = numbers.map(|n| v8::Integer::new(scope, n).into()).collect();
                v8::Array::new_with_elements(scope, &numbers).into()
            });
            let nodes: Vec<_> = nodes.collect();
            let nodes = v8::Array::new_with_elements(scope, &nodes).into();
            call(scope, &functions.start, &[nodes]);
        });
        Ok(())
    }

    /// Loads one handler. Where its modules do not fit together, every reason is told, not only V8's first.
    async fn load_handler(
        &self,
        handler: &Handler,
        survey: &mut Survey,
        stalled: impl Fn(&Stall),
    ) -> Result<v8::Global<v8::Object>, Vec<Diagnostic>> {
        match self.link(handler) {
            Ok(module) => self.evaluate(handler, module, stalled).await.map_err(|failure| vec![failure]),
            Err(failure) => Err(survey.reasons(&handler.path, failure)),
        }
    }

    /// Reads a handler's modules and connects them.
    fn link(&self, handler: &Handler) -> Result<ModuleId, Diagnostic> {
        let url = ModuleSpecifier::from_file_path(&handler.path)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", handler.path.display())))?;
        self.loader.check(&handler.path, &url)?;
        self.loader.take_failure();
        // Modules load from files, so this neither waits nor yields.
        let mut runtime = self.runtime.borrow_mut();
        let _running = self.counter.enter();
        futures_now(runtime.load_side_es_module(&url)).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &CoreError) -> Diagnostic {
        self.loader.take_failure().unwrap_or_else(|| describe(error))
    }

    /// Runs a handler's modules.
    async fn evaluate(
        &self,
        handler: &Handler,
        module: ModuleId,
        stalled: impl Fn(&Stall),
    ) -> Result<v8::Global<v8::Object>, Diagnostic> {
        let failed = |error: CoreError| self.failure(&error);
        self.stopped_outside.set(None);
        let mut evaluation = {
            let _running = self.counter.enter();
            Box::pin(self.runtime.borrow_mut().mod_evaluate(module))
        };
        self.turn_ended();
        let mut evaluated = std::pin::pin!(std::future::poll_fn(|cx| {
            // Where it was stopped, it does not come to an end.
            if self.stopped_outside.get().is_some() {
                return Poll::Ready(Ok(()));
            }
            let polled = self.poll(cx);
            if let Poll::Ready(result) = evaluation.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            match polled {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            }
        }));
        let mut schedule = Schedule::until(self.limits.answer);
        // As the files were when they began to wait: who waits may be saved anew.
        let awaits = OnceCell::new();
        let stall = |since| Stall {
            handler: handler.path.clone(),
            awaits: awaits.get_or_init(|| self.loader.awaits(&handler.path)).clone(),
            since,
        };
        loop {
            let Some(wait) = schedule.wait() else {
                return Err(Diagnostic::new(stall(self.limits.answer).to_string()));
            };
            if let Ok(evaluated) = tokio::time::timeout(wait, &mut evaluated).await {
                evaluated.map_err(failed)?;
                break;
            }
            if let Some(since) = schedule.has_waited() {
                stalled(&stall(since));
            }
        }
        let file = handler.path.display();
        if let Some(reason) = self.stopped_outside.take() {
            return Err(Diagnostic::new(format!("{file}: {}", self.describe_termination(reason))));
        }
        let namespace = self.runtime.borrow_mut().get_module_namespace(module).map_err(failed)?;
        self.enter(|scope, functions| {
            let id = v8::Integer::new_from_unsigned(scope, handler.id).into();
            let dirname = string(scope, &handler.pattern);
            let filename = string(scope, &handler.path.to_string_lossy());
            let namespace = v8::Local::new(scope, &namespace);
            if let Some(csrf) = exported_boolean(scope, namespace, "csrf") {
                self.csrf.borrow_mut().insert(handler.id, csrf);
            }
            let namespace = namespace.into();
            call(scope, &functions.add_handler, &[id, dirname, filename, namespace]);
        });
        Ok(namespace)
    }

    /// Loads every handler of the server's layer, to see what each exports, by name with whether it is a function, or
    /// why it does not load. Nothing is served afterwards. `loads` is told of each before it runs.
    pub(crate) async fn examine(
        &self,
        site: &Site,
        loads: impl Fn(&Path),
    ) -> HashMap<u32, Result<BTreeMap<String, bool>, Vec<Diagnostic>>> {
        self.with_exchanges(|exchanges| exchanges.set_site(Box::new(site.clone()), 0));
        self.warm();
        let (mut examined, mut survey) = (HashMap::new(), Survey::of(&self.project));
        for handler in site.routes.handlers().iter().filter(|handler| handler.layer == Layer::Server) {
            loads(&handler.path);
            let stalled = |stall: &Stall| {
                if stall.is_worth_a_line() {
                    tracing::warn!("{stall}");
                }
            };
            let loaded = self.load_handler(handler, &mut survey, stalled).await;
            examined.insert(handler.id, loaded.map(|namespace| self.exports_of(&namespace)));
        }
        examined
    }

    fn exports_of(&self, namespace: &v8::Global<v8::Object>) -> BTreeMap<String, bool> {
        let mut exports = BTreeMap::new();
        self.enter(|scope, _| {
            let namespace = v8::Local::new(scope, namespace);
            let Some(names) = namespace.get_own_property_names(scope, Default::default()) else { return };
            for index in 0..names.length() {
                let Some(name) = names.get_index(scope, index) else { continue };
                let is_function = namespace.get(scope, name).is_some_and(|value| value.is_function());
                exports.insert(name.to_rust_string_lossy(scope), is_function);
            }
        });
        exports
    }

    /// What a `render` attribute says, as `page/binding_problems.js` gives it.
    pub(crate) fn bindings_of(&self, text: &str) -> String {
        let mut bindings = String::new();
        self.enter(|scope, functions| {
            let (receiver, text) = (v8::undefined(scope).into(), string(scope, text));
            let function = v8::Local::new(scope, &functions.bindings_of);
            if let Some(found) = function.call(scope, receiver, &[text]) {
                bindings = found.to_rust_string_lossy(scope);
            }
        });
        bindings
    }

    /// Whether requests to a node are held against the page that sent them. The nearest handler that says so decides.
    pub(crate) fn checks_csrf(&self, steps: &[Step]) -> bool {
        let csrf = self.csrf.borrow();
        csrf.is_empty()
            || steps.iter().rev().find_map(|step| csrf.get(&step.handler).copied()).unwrap_or(true)
    }

    /// Every file that the handlers are made of.
    pub(crate) fn files(&self) -> HashSet<PathBuf> {
        self.loader.files()
    }

    /// What each of those imports of other files.
    pub(crate) fn imports(&self) -> HashMap<PathBuf, Vec<PathBuf>> {
        self.loader.imports()
    }

    /// Runs the handlers for a request, until they have answered or wait for something.
    pub(crate) fn dispatch(&self, request: Call, node: NodeId) -> Dispatched {
        let method = request.parts.method.clone();
        let uri = request.parts.uri.clone();
        let path = uri.path();
        let page = request.shown.page.map_or(-1, u32::cast_signed);
        let show = request.shown.show as i32;
        let Begun { id: exchange, can_join } = self.with_exchanges(|exchanges| exchanges.begin(request));
        self.counter.is_for(Some(exchange.0));
        self.enter(|scope, functions| {
            let id = v8::Number::new(scope, exchange.0 as f64).into();
            let node = v8::Integer::new_from_unsigned(scope, node.0).into();
            let length = v8::Integer::new_from_unsigned(scope, segments(path).count() as u32).into();
            let path = string(scope, path);
            let method = method_name(scope, &method);
            let page = v8::Integer::new(scope, page).into();
            let show = v8::Integer::new(scope, show).into();
            let can_join = v8::Boolean::new(scope, can_join).into();
            call(scope, &functions.dispatch, &[id, node, path, length, method, page, show, can_join]);
        });
        self.with_exchanges(|exchanges| match exchanges.answered() {
            Some(answer) => Dispatched::Answered(exchange, answer),
            None => exchanges
                .wait(exchange)
                .map_or(Dispatched::Lost(exchange), |unanswered| Dispatched::Waiting(exchange, unanswered)),
        })
    }

    /// A page with `json` as its state. None: it cannot be rendered.
    pub(crate) fn render(&self, page: PageId, json: &str, status: StatusCode) -> Option<String> {
        let mut html = None;
        self.counter.is_for(None);
        self.enter(|scope, functions| {
            let page = v8::Integer::new_from_unsigned(scope, page.0).into();
            let json = string(scope, json);
            let status = v8::Integer::new(scope, status.as_u16().into()).into();
            let rendered = call(scope, &functions.render, &[page, json, status]);
            html = rendered.filter(|it| it.is_string()).map(|it| it.to_rust_string_lossy(scope));
        });
        html
    }

    /// Delivers what happened on a line.
    pub(crate) fn deliver(&self, told: &LineEvent) {
        let id = told.exchange.0 as f64;
        self.counter.is_for(Some(told.exchange.0));
        match &told.event {
            Event::Opened => self.enter(|scope, functions| {
                let id = v8::Number::new(scope, id).into();
                call(scope, &functions.opened, &[id]);
            }),
            Event::Message { kind, event_id, payload, ports, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, kind),
                    string(scope, event_id),
                    json_or_null(scope, payload.as_deref()),
                    v8::Integer::new_from_unsigned(scope, *ports).into(),
                ];
                call(scope, &functions.receive, &arguments);
            }),
            Event::Reply { request, port, kind, payload, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, request),
                    v8::Integer::new_from_unsigned(scope, *port).into(),
                    string(scope, kind),
                    json_or_null(scope, payload.as_deref()),
                ];
                call(scope, &functions.reply, &arguments);
            }),
            Event::Relay { channel, kind, event_id, payload, member, size } => {
                self.enter(|scope, functions| {
                    let arguments = [
                        v8::Number::new(scope, id).into(),
                        string(scope, channel.as_str()),
                        string(scope, kind),
                        string(scope, event_id),
                        json_or_null(scope, payload.as_deref()),
                        string(scope, &member.to_string()),
                        v8::Number::new(scope, *size as f64).into(),
                    ];
                    call(scope, &functions.relay, &arguments);
                });
            }
            Event::Overheard { channel, kind, event_id, payload, .. } => self.enter(|scope, functions| {
                let arguments = [
                    v8::Number::new(scope, id).into(),
                    string(scope, channel.as_str()),
                    string(scope, kind),
                    string(scope, event_id),
                    json_or_null(scope, payload.as_deref()),
                ];
                call(scope, &functions.overhear, &arguments);
            }),
            Event::Drained { stale } => self.enter(|scope, functions| {
                let arguments = [v8::Number::new(scope, id).into(), v8::Boolean::new(scope, *stale).into()];
                call(scope, &functions.drained, &arguments);
            }),
            Event::Data { .. } => drop(self.deliver_messages(std::slice::from_ref(told))),
            Event::Closed(close) => self.end(told.exchange, close),
        }
    }

    /// Delivers messages of raw sockets, as many in one turn as fit into five milliseconds. Says how many it took.
    pub(crate) fn deliver_messages(&self, told: &[LineEvent]) -> usize {
        self.enter(|scope, functions| {
            let messages: Vec<_> = told.iter().flat_map(|told| message(scope, told)).collect();
            let messages = v8::Array::new_with_elements(scope, &messages);
            let turn = v8::Number::new(scope, TURN.as_millis() as f64).into();
            call(scope, &functions.heard, &[messages.into(), turn]);
        });
        // Where not even the first was begun, the isolate is being stopped.
        self.with_exchanges(|exchanges| exchanges.take_heard()).clamp(1, told.len())
    }

    /// When a client that takes one answer has waited long enough for a state after the one that it could have now.
    pub(crate) fn settles_at(&self, exchange: ExchangeId) -> Option<Instant> {
        self.with_exchanges(|exchanges| exchanges.settles_at(exchange))
    }

    /// Answers with the state that is held, if there is one: its client has waited long enough for a later one.
    pub(crate) fn settle(&self, exchange: ExchangeId) {
        self.with_exchanges(|exchanges| exchanges.settle(exchange));
    }

    /// Ends an exchange from outside: its line closed, its client left, its time is up.
    pub(crate) fn end(&self, exchange: ExchangeId, close: &Close) {
        self.with_exchanges(|exchanges| exchanges.gone(exchange));
        self.tell_closed(exchange, close);
    }

    fn tell_closed(&self, exchange: ExchangeId, close: &Close) {
        self.counter.is_for(Some(exchange.0));
        self.enter(|scope, functions| {
            let arguments = [
                v8::Number::new(scope, exchange.0 as f64).into(),
                v8::Integer::new_from_unsigned(scope, close.code.number().into()).into(),
                string(scope, &close.reason),
            ];
            call(scope, &functions.closed, &arguments);
        });
    }

    /// Drives timers, promises and asynchronous ops. Never ready: there may always be another request.
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

    /// How full it is.
    pub(crate) fn heap(&self) -> Heap {
        let mut runtime = self.runtime.borrow_mut();
        let isolate = runtime.v8_isolate();
        self.memory.look(isolate);
        let used = isolate.get_heap_statistics().used_heap_size();
        Heap { used, limit: self.memory.limit(), external: self.memory.outside() }
    }

    /// Whether what turns say on lines waits for the end of a later one.
    pub(crate) fn hold_back(&self, holds_back: bool) {
        self.holds_back.set(holds_back);
    }

    /// Has the heap give back what it does not need whenever nothing ran for a while: V8 collects garbage as code makes
    /// more of it, and lines that idle make none. It does so bit by bit, as the event loop is polled. Never ready.
    pub(crate) async fn tidy(&self) {
        let (mut beats, mut kept) = (0, 0);
        loop {
            tokio::time::sleep(QUIET).await;
            if std::mem::replace(&mut beats, self.counter.beats()) != self.counter.beats() {
                continue;
            }
            let mut runtime = self.runtime.borrow_mut();
            let isolate = runtime.v8_isolate();
            self.memory.look(isolate);
            self.memory.tell_of_stores(isolate);
            let heap = isolate.get_heap_statistics().used_heap_size();
            let used = heap + self.memory.outside();
            if used > kept + WORTH_TIDYING.max(kept / 8) {
                // Buffers are large and quickly found garbage where the heap itself is small.
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

    /// Whether no exchange is left.
    pub(crate) fn is_idle(&self) -> bool {
        self.with_exchanges(|exchanges| exchanges.is_empty())
    }

    /// Waits until no exchange is left. Needs [`Isolate::announce_idle`].
    pub(crate) async fn idle(&self) {
        self.idle.notified().await;
    }

    /// From now on the end of the last exchange is announced.
    pub(crate) fn announce_idle(&self) {
        self.announces_idle.set(true);
    }

    /// Handlers' streams of events come to their end, now and from now on.
    pub(crate) fn end_events(&self) {
        self.state.borrow_mut().borrow_mut::<Streams>().stop();
    }

    /// Waits until the heap is full of what is no garbage, whoever was stopped for it.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether what is no garbage is half as much again as it may be.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    /// Answers what is unanswered; the isolate will not run again.
    pub(crate) fn give_up(&self) {
        self.with_exchanges(Exchanges::give_up);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), CoreError>> {
        if self.counter.is_lost() {
            return Poll::Pending;
        }
        self.counter.is_for(None);
        let polled = {
            let mut runtime = self.runtime.borrow_mut();
            let _running = self.counter.enter();
            runtime.poll_event_loop(cx, PollEventLoopOptions::default())
        };
        if self.turn_ended() {
            // Its error is that of the code that was stopped, which was told.
            return Poll::Pending;
        }
        polled
    }

    /// Enters JavaScript for one turn: `enter`, then microtasks, then what the turn decided.
    fn enter(&self, enter: impl FnOnce(&mut v8::PinScope<'_, '_>, &Functions)) {
        if self.counter.is_lost() {
            return;
        }
        {
            let mut runtime = self.runtime.borrow_mut();
            let _running = self.counter.enter();
            // As `deno_core::scope!`, which makes a new handle on the context each time.
            v8::scope!(let scope, runtime.v8_isolate());
            let context = v8::Local::new(scope, &self.functions.context);
            let scope = &mut v8::ContextScope::new(scope, context);
            enter(scope, &self.functions);
            scope.perform_microtask_checkpoint();
        }
        self.turn_ended();
        self.wake();
    }

    /// Has the event loop look again: timers and ops that a turn started are not known to it yet.
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// What every turn comes to. Says whether it was stopped.
    fn turn_ended(&self) -> bool {
        if self.counter.is_lost() {
            // Another thread has told everybody, and no code is to run here again.
            return true;
        }
        let reason = self.counter.take_reason();
        // The turns of a recovery may look already.
        let is_short = self.memory.take_shortage();
        if reason == Some(TerminationReason::Heap) || is_short {
            self.near_limit.set(self.near_limit.get().or(Some(self.limits.heap)));
        }
        if let Some(reason) = reason {
            self.recover(reason);
        }
        if self.memory.wants_collection() {
            self.runtime.borrow_mut().v8_isolate().low_memory_notification();
        }
        for exchange in self.with_exchanges(Exchanges::turn_ended) {
            self.tell_closed(exchange, &CloseCode::Done.into());
        }
        // What the turn said on lines leaves together.
        if !self.holds_back.get() {
            self.hub.flush();
        }
        if self.announces_idle.get() && self.is_idle() {
            self.idle.notify_one();
        }
        if let Some(limit) = self.near_limit.take() {
            self.look_at_heap(limit);
        }
        reason.is_some()
    }

    /// The turn that just ended was stopped. The exchange whose code ran fails; the others go on.
    fn recover(&self, reason: TerminationReason) {
        let left = {
            let mut runtime = self.runtime.borrow_mut();
            runtime.v8_isolate().cancel_terminate_execution();
            self.take_back_microtasks();
            deno_core::scope!(scope, &mut *runtime);
            let left = current_exchange(scope);
            let undefined = v8::undefined(scope).into();
            scope.set_continuation_preserved_embedder_data(undefined);
            left
        };
        // V8 was asked while the code ran. QuickJS only leaves what it ran last.
        let culprit = match cfg!(feature = "v8") {
            true => self.terminator.probe().take_culprit().map(ExchangeId),
            false => left,
        };
        self.count_strike(culprit);
        let why = Diagnostic::new(self.describe_termination(reason));
        let close = Close::because(CloseCode::HandlerFailed, why.message.clone());
        match culprit {
            Some(exchange) => {
                self.with_exchanges(|exchanges| {
                    exchanges.fail(exchange, why);
                    exchanges.gone(exchange);
                });
                self.state.borrow_mut().borrow_mut::<Streams>().stopped(exchange);
            }
            None => {
                self.stopped_outside.set(Some(reason));
                tracing::error!(target: "liveline::handler", "outside of any exchange: {why}");
            }
        }
        self.enter(|scope, functions| {
            let arguments = [
                v8::Number::new(scope, culprit.map_or(-1.0, |exchange| exchange.0 as f64)).into(),
                v8::Integer::new_from_unsigned(scope, close.code.number().into()).into(),
                string(scope, &close.reason),
                v8::Boolean::new(scope, reason == TerminationReason::Heap).into(),
            ];
            call(scope, &functions.stopped, &arguments);
        });
        self.take_back_microtasks();
        self.wake();
    }

    /// Microtasks that the termination would have taken along.
    fn take_back_microtasks(&self) {
        #[cfg(feature = "v8")]
        self.spare.give_back();
    }

    /// Code of an exchange that was stopped may go on in microtasks. Where that does not end, they are given up.
    fn count_strike(&self, culprit: Option<ExchangeId>) {
        let is_alive =
            culprit.is_some_and(|exchange| self.with_exchanges(|exchanges| exchanges.knows(exchange)));
        self.strikes.set(if is_alive { 0 } else { self.strikes.get() + 1 });
        #[cfg(feature = "v8")]
        self.terminator.probe().keeps_microtasks(self.strikes.get() < STRIKES);
    }

    /// The heap came near its limit, and was allowed to grow until the code that filled it had stopped. What is no
    /// garbage now decides whether the isolate can go on.
    fn look_at_heap(&self, limit: usize) {
        let mut runtime = self.runtime.borrow_mut();
        runtime.v8_isolate().low_memory_notification();
        self.memory.look(runtime.v8_isolate());
        // Blobs that are garbage go when the event loop has had a turn.
        let looks_again = !self.looked.get() && self.memory.stores() > self.limits.heap / HEAP_TO_GO_ON;
        self.looked.set(looks_again);
        let used = runtime.v8_isolate().get_heap_statistics().used_heap_size() + self.memory.outside();
        // Where more is used, V8 leaves a quarter above that.
        runtime.remove_near_heap_limit_callback(limit);
        guard_heap(&mut runtime, &self.terminator, &self.near_limit, &self.memory);
        if looks_again {
            self.near_limit.set(Some(limit));
            self.wake();
        } else if used > self.limits.heap - self.limits.heap / HEAP_TO_GO_ON {
            // One that fills once more until another has taken its place is no reason to end its lines yet.
            let is_spent = used > self.limits.heap + self.limits.heap / 2;
            self.memory.leave(used);
            let (used, limit) = (used >> 20, self.limits.heap >> 20);
            let more = if is_spent { ", and its lines are closed with 1011" } else { "" };
            tracing::warn!(
                "the handlers of an isolate keep {used} MiB of its heap of {limit} MiB; another takes its place{more}"
            );
            self.is_spent.set(is_spent);
            self.filled.notify_one();
        }
    }

    fn describe_termination(&self, reason: TerminationReason) -> String {
        match reason {
            TerminationReason::Cpu => {
                format!("the handler ran for {:?} without yielding and was stopped", self.limits.cpu)
            }
            TerminationReason::Heap => {
                let mebibytes = self.limits.heap >> 20;
                format!("the handler was stopped because the heap of its isolate is full ({mebibytes} MiB)")
            }
        }
    }

    fn with_exchanges<R>(&self, f: impl FnOnce(&mut Exchanges) -> R) -> R {
        f(self.state.borrow_mut().borrow_mut::<Exchanges>())
    }
}

/// What the watchdog does for an isolate besides.
struct Flushing<F> {
    hub: Hub,
    lost: F,
}

impl<F: Fn(Option<ExchangeId>) + Send> Watched for Flushing<F> {
    fn meanwhile(&self) {
        // What a handler said is not to wait until it has counted to a billion.
        self.hub.flush();
    }

    fn lost(&self, exchange: Option<u64>) {
        (self.lost)(exchange.map(ExchangeId));
    }
}

/// Stops whoever fills the heap. Notes the limit that this went over.
fn guard_heap(
    runtime: &mut JsRuntime,
    terminator: &Terminator,
    near_limit: &Rc<Cell<Option<usize>>>,
    memory: &Memory,
) {
    let (terminator, near_limit, memory) = (terminator.clone(), near_limit.clone(), memory.clone());
    runtime.add_near_heap_limit_callback(move |current, initial| {
        near_limit.set(Some(initial));
        // V8 asks for more heap for a buffer that was refused, too, before it throws an error.
        if !memory.is_refusing(initial) {
            terminator.heap_is_full();
        }
        current + HEAP_TO_UNWIND
    });
}

impl Functions {
    /// Takes the functions that `main.js` left for the host.
    fn of(runtime: &mut JsRuntime) -> Functions {
        let context = runtime.main_context();
        deno_core::scope!(scope, runtime);
        let global = scope.get_current_context().global(scope);
        let key = string(scope, "__liveline");
        let exports = global.get(scope, key).and_then(|value| value.to_object(scope));
        let exports = exports.expect("main.js sets it");
        global.delete(scope, key);
        let mut function = |name: &str| {
            let key = string(scope, name);
            let value = exports.get(scope, key).expect("main.js sets it");
            let function = v8::Local::<v8::Function>::try_from(value).expect("main.js sets functions");
            v8::Global::new(scope, function)
        };
        let begin = function("begin");
        let functions = Functions {
            context,
            add_handler: function("addHandler"),
            bindings_of: function("bindingsOf"),
            closed: function("closed"),
            dispatch: function("dispatch"),
            drained: function("drained"),
            heard: function("heard"),
            receive: function("receive"),
            opened: function("opened"),
            overhear: function("overhear"),
            relay: function("relay"),
            render: function("render"),
            reply: function("reply"),
            start: function("start"),
            stopped: function("stopped"),
            warm: function("warm"),
        };
        call(scope, &begin, &[]);
        functions
    }
}

/// Calls a host function. It reports its own errors; one that escapes is a defect of runtime-js.
fn call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    function: &v8::Global<v8::Function>,
    arguments: &[v8::Local<'s, v8::Value>],
) -> Option<v8::Local<'s, v8::Value>> {
    v8::tc_scope!(let scope, scope);
    let receiver = v8::undefined(scope).into();
    let function = v8::Local::new(scope, function);
    let result = function.call(scope, receiver, arguments);
    if result.is_none()
        && !scope.has_terminated()
        && let Some(exception) = scope.exception()
    {
        let diagnostic = from_exception(scope, exception);
        tracing::error!("the host's JavaScript failed: {diagnostic}");
    }
    result
}

/// The result of a future that never waits.
fn futures_now<T>(future: impl Future<Output = Result<T, CoreError>>) -> Result<T, CoreError> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(deno_error::JsErrorBox::generic("a module took time to load").into()),
    }
}

fn describe(error: &CoreError) -> Diagnostic {
    match error.as_kind() {
        CoreErrorKind::Js(error) => from_js_error(error),
        _ => Diagnostic::new(error.print_with_cause()),
    }
}
