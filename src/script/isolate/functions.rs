//! The functions of `runtime-js/main.js` that the host calls.

use deno_core::{JsRuntime, v8};
use hyper::Method;

use crate::ext::from_exception;
use crate::script::values::{method_name, string};

/// One list for the functions' names in Rust and in the object `__liveline` that `main.js` sets.
macro_rules! functions {
    ($($function:ident = $name:literal),* $(,)?) => {
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Function { $($function),* }

        const NAMES: &[&str] = &[$($name),*];
    };
}

functions! {
    ActorMail = "actorMail",
    AddHandler = "addHandler",
    Begin = "begin",
    BindingsOf = "bindingsOf",
    Configure = "configure",
    Dispatch = "dispatch",
    Dispose = "dispose",
    Drained = "drained",
    Ended = "ended",
    ExplainLosses = "explainLosses",
    ForgetModules = "forgetModules",
    KeepsModules = "keepsModules",
    ListedRoutes = "listedRoutes",
    MirrorConsole = "mirrorConsole",
    Opened = "opened",
    Overhear = "overhear",
    PrepareLoad = "prepareLoad",
    Problems = "problems",
    Receive = "receive",
    ReceiveFromClient = "receiveFromClient",
    RejectedInLoad = "rejectedInLoad",
    Rehearse = "rehearse",
    Rehearsed = "rehearsed",
    Relay = "relay",
    Render = "render",
    Reply = "reply",
    RequiredFiles = "requiredFiles",
    Start = "start",
    Stopped = "stopped",
    Warm = "warm",
}

/// The object of the functions, which `main.js` makes a global.
const GLOBAL: &str = "__liveline";

/// Handles on the functions, and the context in which they run.
pub(super) struct Functions {
    pub context: v8::Global<v8::Context>,
    /// In the order of [`NAMES`].
    table: Vec<v8::Global<v8::Function>>,
    /// The names of [`METHODS`], in their order.
    methods: Vec<v8::Global<v8::Value>>,
}

/// Methods whose names are not made anew for each request.
const METHODS: &[Method] =
    &[Method::GET, Method::POST, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];

impl Functions {
    /// Reads the functions that `main.js` has set for the host.
    pub(super) fn of(runtime: &mut JsRuntime) -> Functions {
        let context = runtime.main_context();
        deno_core::scope!(scope, runtime);
        let global = scope.get_current_context().global(scope);
        let key = string(scope, GLOBAL);
        let exports = global.get(scope, key).and_then(|value| value.to_object(scope));
        let exports = exports.expect("main.js sets it");
        let table = NAMES.iter().map(|name| {
            let key = string(scope, name);
            let value = exports.get(scope, key).expect("main.js sets it");
            let function = v8::Local::<v8::Function>::try_from(value).expect("main.js sets functions");
            v8::Global::new(scope, function)
        });
        let table = table.collect();
        let methods = METHODS.iter().map(|method| {
            let name = method_name(scope, method);
            v8::Global::new(scope, name)
        });
        Functions { context, table, methods: methods.collect() }
    }

    /// Removes what handlers must not reach. Call it before any other code runs.
    pub(super) fn begin(&self, runtime: &mut JsRuntime) {
        deno_core::scope!(scope, runtime);
        let global = scope.get_current_context().global(scope);
        let key = string(scope, GLOBAL);
        global.delete(scope, key);
        self.call(scope, Function::Begin, &[]);
    }

    /// The name of a request's method.
    pub(super) fn method<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        method: &Method,
    ) -> v8::Local<'s, v8::Value> {
        match METHODS.iter().position(|known| known == method) {
            Some(at) => v8::Local::new(scope, &self.methods[at]),
            None => method_name(scope, method),
        }
    }

    /// Calls a function. The function reports its own errors; one that it throws is a defect of runtime-js.
    pub(super) fn call<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        function: Function,
        arguments: &[v8::Local<'s, v8::Value>],
    ) -> Option<v8::Local<'s, v8::Value>> {
        v8::tc_scope!(let scope, scope);
        let receiver = v8::undefined(scope).into();
        let function = v8::Local::new(scope, &self.table[function as usize]);
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
}
