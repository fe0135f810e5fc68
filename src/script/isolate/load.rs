//! Loads the handlers of a project.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::iter;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use deno_core::error::CoreError;
use deno_core::{ModuleId, ModuleSpecifier, v8};
use serde::Deserialize;

use super::functions::Function;
use super::{Isolate, describe};
use crate::dialect::{self, Exports};
#[cfg(feature = "node")]
use crate::ext::node::AdoptedApplication;
use crate::ext::{Environment, from_exception};
use crate::router::{Handler, Layer, Step};
use crate::script::site::Site;
use crate::script::sources::Sources;
use crate::script::stall::{Schedule, Stall};
use crate::script::survey::Survey;
use crate::script::values::{exports_of, handler_of, string};
use liveline_compiler::Diagnostic;

impl Isolate {
    /// Loads every handler of the server's layer. Reports every file that fails, not only the first. `loads` is called
    /// with each file before it runs, `stalled` when its top-level await has not ended for a while, `left_out` with the
    /// reasons of a file that fails and that the others do not need.
    pub(crate) async fn load(
        &self,
        site: &Site,
        sources: Arc<Sources>,
        loads: impl Fn(PathBuf),
        stalled: impl Fn(&Stall),
        left_out: impl Fn(&[Diagnostic]),
    ) -> Result<(), Vec<Diagnostic>> {
        let code = sources.number();
        self.loader.load_from(sources);
        self.serve(site, code);
        self.wait_for_debugger();
        self.load_handlers(site, loads, stalled, left_out)
            .await
            .inspect_err(|known| self.log_rejections(known))?;
        self.start(site);
        Ok(())
    }

    /// Logs promises that were rejected while handlers load, and that nobody handled. Errors of `known` are reported
    /// elsewhere: those of modules are among the rejections.
    fn log_rejections(&self, known: &[Diagnostic]) {
        self.enter(|scope, functions| {
            let reasons = functions.call(scope, Function::RejectedInLoad, &[]);
            let reasons = reasons.and_then(|reasons| v8::Local::<v8::Array>::try_from(reasons).ok());
            let Some(reasons) = reasons else { return };
            for index in 0..reasons.length() {
                let Some(reason) = reasons.get_index(scope, index) else { return };
                let rejection = from_exception(scope, reason);
                // Where a message ends with its place, that is in the place of a diagnostic.
                if !known.iter().any(|failure| rejection.message.starts_with(&*failure.message)) {
                    tracing::error!("unhandled rejection: {rejection}");
                }
            }
        });
    }

    /// Loads every handler of the server's layer; none of them gets requests yet.
    pub(super) async fn load_handlers(
        &self,
        site: &Site,
        loads: impl Fn(PathBuf),
        stalled: impl Fn(&Stall),
        left_out: impl Fn(&[Diagnostic]),
    ) -> Result<(), Vec<Diagnostic>> {
        let _loading = self.counter.load();
        let mut failures: Vec<Diagnostic> = Vec::new();
        let mut survey = None;
        for handler in site.routes.handlers().iter().filter(|handler| handler.layer == Layer::Server) {
            loads(handler.path.clone());
            if let Err(reasons) = self.load_handler(handler, &mut survey, &stalled).await {
                if site.is_first && !self.lacks_node() && dialect::named(handler.dialect).stands_alone() {
                    left_out(&reasons);
                    self.add_without_exports(handler);
                    continue;
                }
                // Several handlers may import the same file.
                failures.extend(reasons.into_iter().filter(|it| !failures.contains(it)).collect::<Vec<_>>());
            }
        }
        if failures.is_empty() {
            failures = self.problems();
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    /// The handlers that were loaded get requests from now on.
    pub(super) fn start(&self, site: &Site) {
        if dialect::any_keeps_modules(&site.routes) {
            self.loader.settle();
        }
        self.enter(|scope, functions| {
            let nodes = site.routes.nodes().iter().map(|node| {
                let own_page = node.own_page.map_or(-1, u32::cast_signed);
                let steps = node.steps.iter().flat_map(|step| [step.handler, step.depth]);
                let numbers = iter::once(own_page).chain(steps.map(u32::cast_signed));
                let numbers: Vec<_> = numbers.map(|n| v8::Integer::new(scope, n).into()).collect();
                v8::Array::new_with_elements(scope, &numbers).into()
            });
            let nodes: Vec<_> = nodes.collect();
            let nodes = v8::Array::new_with_elements(scope, &nodes).into();
            functions.call(scope, Function::Start, &[nodes]);
        });
    }

    /// A handler that failed takes part in its dialect's application without exports.
    fn add_without_exports(&self, handler: &Handler) {
        self.enter(|scope, functions| {
            let name = string(scope, handler.dialect);
            let id = v8::Integer::new_from_unsigned(scope, handler.id).into();
            let dirname = string(scope, &handler.pattern);
            let filename = string(scope, &handler.path.to_string_lossy());
            let nothing = v8::null(scope).into();
            functions.call(scope, Function::AddHandler, &[name, id, dirname, filename, nothing]);
        });
    }

    /// For development: from now on warnings are printed of what JSON leaves out of handlers' results.
    pub(crate) fn explain_losses(&self) {
        self.enter(|scope, functions| {
            functions.call(scope, Function::ExplainLosses, &[]);
        });
    }

    /// Sets what the code that is about to load serves.
    fn serve(&self, site: &Site, code: u64) {
        self.state.borrow_mut().borrow::<Environment>().replace(site.environment.clone());
        self.loader.adopt(site.settings.clone());
        self.with_exchanges(|exchanges| {
            exchanges.set_site(Box::new(site.clone()), code);
            exchanges.use_utf8_headers(site.settings.is_for_workers);
        });
        #[cfg(feature = "node")]
        crate::script::node::resolve_for(&mut self.state.borrow_mut(), site.settings.is_for_workers);
        // Before any code of handlers runs, because that may change classes that are loaded later.
        self.warm();
        self.enter(|scope, functions| {
            for (dialect, settings) in &site.settings.scripts {
                let tests_triggers = v8::Boolean::new(scope, site.tests_triggers).into();
                let arguments = [string(scope, dialect), string(scope, settings), tests_triggers];
                functions.call(scope, Function::Configure, &arguments);
            }
        });
    }

    /// Loads one handler. If its modules cannot be linked, returns every reason, not only V8's first.
    async fn load_handler(
        &self,
        handler: &Handler,
        survey: &mut Option<Survey>,
        stalled: impl Fn(&Stall),
    ) -> Result<v8::Global<v8::Object>, Vec<Diagnostic>> {
        #[cfg(feature = "node")]
        {
            let dialect = dialect::named(handler.dialect);
            if dialect.needs_node() {
                self.loader.demand_node().map_err(|failure| vec![failure])?;
            }
            let application = dialect.adopts_listeners().then(|| handler.path.clone());
            self.state.borrow_mut().put(AdoptedApplication(application));
        }
        match self.link(handler) {
            Ok(module) => self.evaluate(handler, module, stalled).await.map_err(|failure| vec![failure]),
            Err(failure) => {
                // Made for the first handler that fails: what resolves its imports takes time to make.
                let survey = survey.get_or_insert_with(|| Survey::of(&self.project));
                Err(survey.reasons(&handler.path, failure))
            }
        }
    }

    /// Reads a handler's modules and links them.
    fn link(&self, handler: &Handler) -> Result<ModuleId, Diagnostic> {
        let url = ModuleSpecifier::from_file_path(&handler.path)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", handler.path.display())))?;
        self.loader.check(&handler.path, &url)?;
        self.loader.begin();
        // Modules load from files, so this neither waits nor yields.
        let mut runtime = self.runtime.borrow_mut();
        let _running = self.counter.enter();
        ready_now(runtime.load_side_es_module(&url)).map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &CoreError) -> Diagnostic {
        self.loader.failure(describe(error))
    }

    /// An error in a handler's modules, with the imports by which the handler came to the file of the error.
    fn imported(&self, handler: &Handler, mut failure: Diagnostic) -> Diagnostic {
        let file = failure.place.as_ref().map(|place| place.file.as_path());
        if file != Some(&*handler.path) {
            let importers = self.loader.importers(&handler.path, file);
            failure.stack.extend(importers.iter().map(|place| format!("imported in ({place})")));
        }
        failure
    }

    /// Evaluates a handler's modules.
    async fn evaluate(
        &self,
        handler: &Handler,
        module: ModuleId,
        stalled: impl Fn(&Stall),
    ) -> Result<v8::Global<v8::Object>, Diagnostic> {
        let failed = |error: CoreError| self.imported(handler, self.failure(&error));
        self.stopped_outside.set(None);
        let evaluation = {
            let _running = self.counter.enter();
            Box::pin(self.runtime.borrow_mut().mod_evaluate(module))
        };
        self.turn_ended();
        // Read once, when the wait began, because a file may be saved again meanwhile.
        let awaits = LazyCell::new(|| self.loader.awaits(&handler.path));
        self.drive(handler, evaluation, || awaits.clone(), &stalled).await?;
        let mut exports = self.runtime.borrow_mut().get_module_namespace(module).map_err(failed)?;
        let mut waits = None;
        let dialect = dialect::named(handler.dialect);
        self.enter(|scope, functions| {
            let name = string(scope, handler.dialect);
            let id = v8::Integer::new_from_unsigned(scope, handler.id).into();
            let dirname = string(scope, &handler.pattern);
            let filename = string(scope, &handler.path.to_string_lossy());
            let namespace = v8::Local::new(scope, &exports);
            let handled = handler_of(scope, namespace);
            exports = v8::Global::new(scope, handled);
            let exports = exports_of(scope, handled);
            let options = dialect.load(&exports);
            self.exports.borrow_mut().insert(handler.id, exports);
            if let Some(csrf) = options.csrf {
                self.csrf.borrow_mut().insert(handler.id, csrf);
            }
            if options.admits_all_origins {
                self.open_to_all.borrow_mut().insert(handler.id);
            }
            let handled = handled.into();
            let added = functions.call(scope, Function::AddHandler, &[name, id, dirname, filename, handled]);
            waits = added.filter(|added| added.is_promise()).map(|added| v8::Global::new(scope, added));
        });
        if let Some(promise) = waits {
            self.wait(handler, promise, stalled).await?;
        }
        Ok(exports)
    }

    /// Drives the isolate until something that a handler's code began has ended. `awaits`: the top-level awaits among
    /// which is what it waits for, as [`Stall`] has them.
    async fn drive(
        &self,
        handler: &Handler,
        mut evaluation: impl Future<Output = Result<(), CoreError>> + Unpin,
        awaits: impl Fn() -> Vec<(PathBuf, usize)>,
        stalled: impl Fn(&Stall),
    ) -> Result<(), Diagnostic> {
        let failed = |error: CoreError| self.imported(handler, located(self.failure(&error)));
        let mut evaluated = std::pin::pin!(std::future::poll_fn(|cx| {
            // If the evaluation was terminated, its promise never settles.
            if self.stopped_outside.get().is_some() {
                return Poll::Ready(Ok(()));
            }
            let polled = self.poll(cx);
            if let Poll::Ready(result) = Pin::new(&mut evaluation).poll(cx) {
                return Poll::Ready(result);
            }
            match polled {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            }
        }));
        let mut schedule = Schedule::until(self.limits.answer);
        let stall = |since| Stall { handler: handler.path.clone(), awaits: awaits(), since };
        loop {
            let Some(wait) = schedule.wait() else {
                if self.last_debugged().is_some_and(|last| last.elapsed() < self.limits.answer) {
                    schedule = Schedule::until(self.limits.answer);
                    continue;
                }
                return Err(Diagnostic::new(stall(self.limits.answer).to_string()));
            };
            if let Ok(evaluated) = tokio::time::timeout(wait, &mut evaluated).await {
                evaluated.map_err(failed)?;
                break;
            }
            if let Some(since) = schedule.has_waited() {
                // What was rejected may be why there is still something to wait for.
                self.log_rejections(&[]);
                stalled(&stall(since));
            }
        }
        let file = handler.path.display();
        if let Some(reason) = self.stopped_outside.take() {
            return Err(Diagnostic::new(format!("{file}: {}", self.describe_termination(reason))));
        }
        Ok(())
    }

    /// Waits until a handler is set up, after its modules were evaluated: the plugins of an application, for example.
    async fn wait(
        &self,
        handler: &Handler,
        promise: v8::Global<v8::Value>,
        stalled: impl Fn(&Stall),
    ) -> Result<(), Diagnostic> {
        let settled = self.runtime.borrow_mut().resolve(promise);
        let settled = Box::pin(async move { settled.await.map(drop).map_err(CoreError::from) });
        self.drive(handler, settled, Vec::new, stalled).await
    }

    /// The routes of applications that the isolate has loaded: methods, path and kind of each.
    pub(crate) fn listed_routes(&self) -> Vec<[String; 3]> {
        let mut flat = Vec::new();
        self.enter(|scope, functions| {
            let list = functions.call(scope, Function::ListedRoutes, &[]);
            let Some(list) = list.and_then(|list| v8::Local::<v8::Array>::try_from(list).ok()) else {
                return;
            };
            flat.extend(
                (0..list.length())
                    .filter_map(|index| Some(list.get_index(scope, index)?.to_rust_string_lossy(scope))),
            );
        });
        flat.chunks_exact(3).map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect()
    }

    /// Loads every handler of the server's layer, to find the exports of each or why it does not load. The isolate
    /// serves no requests afterwards. `loads` is called with each file before it runs.
    pub(crate) async fn examine(
        &self,
        site: &Site,
        loads: impl Fn(&Path),
    ) -> HashMap<u32, Result<Exports, Vec<Diagnostic>>> {
        self.serve(site, 0);
        let (mut examined, mut survey) = (HashMap::new(), None);
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

    /// The exports of the handlers that have loaded, by their ids.
    pub(crate) fn exports(&self) -> HashMap<u32, Exports> {
        self.exports.borrow().clone()
    }

    /// Why handlers that have loaded cannot serve together.
    pub(crate) fn problems(&self) -> Vec<Diagnostic> {
        #[derive(Deserialize)]
        struct Problem {
            message: String,
            file: Option<PathBuf>,
            line: Option<usize>,
            help: Option<String>,
        }
        let mut found = String::new();
        self.enter(|scope, functions| {
            if let Some(problems) = functions.call(scope, Function::Problems, &[]) {
                found = problems.to_rust_string_lossy(scope);
            }
        });
        let problems: Vec<Problem> = serde_json::from_str(&found).unwrap_or_default();
        let diagnostic = |Problem { message, file, line, help }: Problem| match file {
            Some(file) => Diagnostic::at(message, file, line.unwrap_or(1), 1).with_help(help),
            None => Diagnostic::new(message).with_help(help),
        };
        problems.into_iter().map(diagnostic).collect()
    }

    fn exports_of(&self, namespace: &v8::Global<v8::Object>) -> Exports {
        let mut exports = Exports::default();
        self.enter(|scope, _| {
            let namespace = v8::Local::new(scope, namespace);
            exports = exports_of(scope, namespace);
        });
        exports
    }

    /// The bindings of a `render` attribute, as JSON of `page/binding_problems.js`.
    pub(crate) fn bindings_of(&self, text: &str) -> String {
        let mut bindings = String::new();
        self.enter(|scope, functions| {
            let text = string(scope, text);
            if let Some(found) = functions.call(scope, Function::BindingsOf, &[text]) {
                bindings = found.to_rust_string_lossy(scope);
            }
        });
        bindings
    }

    /// Whether requests to a node are checked for cross-site requests. The nearest handler with a setting decides.
    pub(crate) fn checks_csrf(&self, steps: &[Step]) -> bool {
        let csrf = self.csrf.borrow();
        csrf.is_empty()
            || steps.iter().rev().find_map(|step| csrf.get(&step.handler).copied()).unwrap_or(true)
    }

    /// Whether pages of every origin may open the WebSockets of a node.
    pub(crate) fn admits_all_origins(&self, steps: &[Step]) -> bool {
        let open = self.open_to_all.borrow();
        !open.is_empty() && steps.iter().any(|step| open.contains(&step.handler))
    }

    /// Every file of the handlers.
    pub(crate) fn files(&self) -> HashSet<PathBuf> {
        self.loader.files()
    }

    /// The imported files of each of those files.
    pub(crate) fn imports(&self) -> HashMap<PathBuf, Vec<PathBuf>> {
        self.loader.imports()
    }
}

/// An error whose message ends with its place, as that of a syntax error in a module that was imported while code ran.
fn located(failure: Diagnostic) -> Diagnostic {
    let place = failure.message.rsplit_once(" at file://").and_then(|(message, place)| {
        let mut parts = place.rsplitn(3, ':');
        let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let url = ModuleSpecifier::parse(&format!("file://{}", parts.next()?)).ok()?;
        Some((message.to_owned(), url.to_file_path().ok()?, line, column))
    });
    match place {
        Some((message, file, line, column)) if failure.place.is_none() => {
            Diagnostic { stack: failure.stack, ..Diagnostic::at(message, file, line, column) }
        }
        _ => failure,
    }
}

/// The result of a future that is ready at the first poll.
fn ready_now<T>(future: impl Future<Output = Result<T, CoreError>>) -> Result<T, CoreError> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(deno_error::JsErrorBox::generic("a module took time to load").into()),
    }
}
