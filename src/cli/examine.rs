//! Examines a folder for `check` and `routes`: loads every handler, reads every page and collects all errors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tokio::runtime::LocalOptions;
use tokio::sync::oneshot;

use crate::browser::BrowserFiles;
use crate::config::Config;
use crate::dialect::{self, Exports, Settings};
use crate::ext::{Exchanges, Variables};
use crate::router::{Handler, Layer, PublicFiles, Routes};
use crate::script::survey::{self, Survey};
use crate::script::{Isolate, Site, need_node};
use liveline_compiler::Diagnostic;
use liveline_proto::CloseCode;

/// The handlers and pages of a folder, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Examination {
    /// The handlers of all layers, in the order of the table of routes.
    pub handlers: Vec<Examined>,
    /// Pages, by the route of their folder and their file.
    pub pages: Vec<(String, PathBuf)>,
    /// In the order of the files.
    pub problems: Vec<Diagnostic>,
    /// Those that keep handlers of the server from loading.
    pub failures: Vec<Diagnostic>,
}

impl Examination {
    /// Nothing could be examined.
    fn failed(problems: Vec<Diagnostic>) -> Examination {
        Examination { handlers: Vec::new(), pages: Vec::new(), failures: problems.clone(), problems }
    }
}

/// A handler that was examined.
#[derive(Debug)]
pub(super) struct Examined {
    /// Its route.
    pub pattern: String,
    /// Its file.
    pub path: PathBuf,
    /// Where it runs.
    pub layer: Layer,
    /// The methods that it answers, `*` for its default export; None where it does not load.
    pub answers: Option<Vec<String>>,
}

/// The exports of each handler of the server by its id, or why it does not load.
type Loaded = HashMap<u32, Result<Exports, Vec<Diagnostic>>>;

/// What the thread of the isolate has found.
struct Found {
    loaded: Loaded,
    /// The routes of an application: methods, path and kind.
    listed: Vec<[String; 3]>,
    bindings: Vec<Diagnostic>,
}

/// Examines the folder of a configuration.
pub(super) async fn examine(config: Config) -> Examination {
    let config = Arc::new(config);
    let layout = &config.layout;
    let (routes, settings) = match dialect::read(layout) {
        Ok((routes, settings)) => (Arc::new(routes), Arc::new(settings)),
        Err(problems) => return Examination::failed(problems),
    };
    let environment = match config.environment.read() {
        Ok(environment) => environment,
        Err(problems) => return Examination::failed(problems),
    };
    let Found { loaded, listed, bindings } =
        run(config.clone(), routes.clone(), settings.clone(), environment).await;
    let mut surveys = [Survey::of(&layout.project), Survey::for_browsers(&layout.project)];
    surveys[0].adopt(settings);
    let (mut problems, mut imported) = (Problems::default(), BTreeSet::new());
    let mut failures = Problems::default();
    let mut handlers = Vec::new();
    for handler in routes.handlers() {
        let survey = &mut surveys[usize::from(handler.layer != Layer::Server)];
        let before = problems.0.len();
        let answers = look_at(handler, loaded.get(&handler.id), survey, &mut imported, &mut problems);
        if answers.is_none() && handler.layer == Layer::Server {
            failures.add(problems.0[before..].iter().cloned());
        }
        let (pattern, path, layer) = (handler.pattern.clone(), handler.path.clone(), handler.layer);
        handlers.push(Examined { pattern, path, layer, answers });
    }
    if let (Err(failures), _) = BrowserFiles::build(layout, &routes) {
        failures.into_iter().for_each(|failure| problems.add_unless_known(failure));
    }
    problems.add(bindings);
    problems.add(dialect::explain_folder(layout, &routes, &imported));
    let handlers = with_listed(handlers, &routes, listed);
    let pages = routes.pages().iter().map(|page| (page.id.clone(), page.path.clone())).collect();
    Examination { handlers, pages, problems: problems.sorted(), failures: failures.sorted() }
}

/// The handlers, with the routes of an application in place of its file alone.
fn with_listed(handlers: Vec<Examined>, routes: &Routes, listed: Vec<[String; 3]>) -> Vec<Examined> {
    let is_application = |at: usize| matches!(routes.handlers()[at].dialect, "aiwebengine" | "fastify");
    let Some(at) = (0..handlers.len()).find(|at| is_application(*at)).filter(|_| !listed.is_empty()) else {
        return handlers;
    };
    let (path, layer) = (handlers[at].path.clone(), handlers[at].layer);
    let mut rows: Vec<Examined> = Vec::new();
    for [method, pattern, kind] in listed {
        let methods = match kind.as_str() {
            "ws" => vec!["WS".to_owned()],
            "sse" => vec![format!("{method} (events)")],
            "http+ws" => vec![method, "WS".to_owned()],
            _ => vec![method],
        };
        match rows.iter_mut().find(|row| row.pattern == pattern) {
            Some(Examined { answers: Some(answers), .. }) => answers.extend(methods),
            _ => rows.push(Examined { pattern, path: path.clone(), layer, answers: Some(methods) }),
        }
    }
    let mut all = handlers;
    all.splice(at..=at, rows);
    all
}

/// Examines one handler. Returns the methods that it answers, if it loads.
fn look_at(
    handler: &Handler,
    loaded: Option<&Result<Exports, Vec<Diagnostic>>>,
    survey: &mut Survey,
    imported: &mut BTreeSet<PathBuf>,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let faults = survey.faults(&handler.path);
    imported.extend(faults.files);
    problems.add(faults.later);
    let loads = match loaded {
        // Where the isolate has loaded the module, its result counts.
        Some(Ok(_)) => true,
        Some(Err(reasons)) => {
            problems.add(reasons.iter().cloned());
            false
        }
        None => {
            let loads = faults.fatal.is_empty();
            problems.add(faults.fatal);
            loads
        }
    };
    let facts = survey.facts(&handler.path);
    let exports = match loaded {
        Some(Ok(exports)) => exports.clone(),
        _ if facts.is_none() => return None,
        _ => survey.exports_of(&handler.path),
    };
    let examined =
        dialect::HandlerFacts { file: &handler.path, exports: &exports, facts: facts.as_ref(), loads };
    let explanation = dialect::named(handler.dialect).explain(&examined);
    problems.add(explanation.problems);
    loads.then_some(explanation.answers)
}

/// Problems, each message at one place once.
#[derive(Default)]
struct Problems(Vec<Diagnostic>);

impl Problems {
    fn add(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        for problem in more {
            let is_same =
                |known: &Diagnostic| known.message == problem.message && known.place == problem.place;
            if !self.0.iter().any(is_same) {
                self.0.push(problem);
            }
        }
    }

    /// Adds a problem unless another of the same line is known.
    fn add_unless_known(&mut self, problem: Diagnostic) {
        let line = |it: &Diagnostic| it.place.as_ref().map(|place| (place.file.clone(), place.line));
        if problem.place.is_none() || !self.0.iter().any(|known| line(known) == line(&problem)) {
            self.add([problem]);
        }
    }

    /// All problems, those without a place first.
    fn sorted(mut self) -> Vec<Diagnostic> {
        self.0
            .sort_by_key(|it| it.place.as_ref().map(|place| (place.file.clone(), place.line, place.column)));
        self.0
    }
}

/// Loads the handlers and checks the bindings of pages, on a thread of its own.
async fn run(
    config: Arc<Config>,
    routes: Arc<Routes>,
    settings: Arc<Settings>,
    environment: Variables,
) -> Found {
    let (sender, found) = oneshot::channel();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let sends = sender.clone();
    let send = move |found: Found| {
        let sender = sends.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = sender.map(|sender| sender.send(found));
    };
    let failed = |message: String| {
        let failure = |handler: &Handler| (handler.id, Err(vec![Diagnostic::new(message.clone())]));
        let loaded = routes.handlers().iter().filter(|it| it.layer == Layer::Server).map(failure).collect();
        Found { loaded, listed: Vec::new(), bindings: Vec::new() }
    };
    let loading = Arc::new(Mutex::new(PathBuf::new()));
    let thread = {
        let (config, routes, loading, send) = (config, routes.clone(), loading.clone(), send.clone());
        std::thread::Builder::new().name("liveline-examine".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            if let Ok(runtime) = runtime {
                runtime.block_on(look(&config, routes, settings, environment, loading, send));
            }
        })
    };
    if let Err(error) = thread {
        return failed(format!("a thread for JavaScript could not start: {error}"));
    }
    drop(send);
    drop(sender);
    found.await.unwrap_or_else(|_| {
        let file = loading.lock().unwrap_or_else(PoisonError::into_inner).display().to_string();
        failed(format!("JavaScript ended while {file} was loaded"))
    })
}

async fn look(
    config: &Config,
    routes: Arc<Routes>,
    settings: Arc<Settings>,
    environment: Variables,
    loading: Arc<Mutex<PathBuf>>,
    send: impl Fn(Found) + Clone + Send + 'static,
) {
    let owner = config.hub.register(|_| {});
    let exchanges = Exchanges::new(owner, config.services());
    let lost = {
        let (send, loading, routes) = (send.clone(), loading.clone(), routes.clone());
        move |_| {
            let stuck = loading.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let message =
                format!("{} runs on in something that JavaScript cannot be interrupted in", stuck.display());
            let handler = routes.handlers().iter().find(|it| it.path == stuck);
            let loaded = handler.map(|it| (it.id, Err(vec![Diagnostic::at(message, stuck, 1, 1)])));
            send(Found { loaded: loaded.into_iter().collect(), listed: Vec::new(), bindings: Vec::new() });
        }
    };
    // One isolate examines all handlers, whatever they need.
    need_node();
    let layout = &config.layout;
    let limits = config.isolate.clone();
    let isolate = match Isolate::new(&config.access, limits, exchanges, config.databases.clone(), lost) {
        Ok(isolate) => isolate,
        Err(error) => {
            let failure = |it: &Handler| {
                (it.id, Err(vec![Diagnostic::new(format!("JavaScript could not start: {error}"))]))
            };
            let loaded = routes.handlers().iter().take(1).map(failure).collect();
            return send(Found { loaded, listed: Vec::new(), bindings: Vec::new() });
        }
    };
    let files = PublicFiles::new(layout.public.as_deref(), config.files, &settings.private);
    let site = Site {
        routes: routes.clone(),
        files,
        dev: None,
        environment,
        settings,
        tests_triggers: false,
        is_stand_in: false,
        is_first: false,
    };
    let loads = |file: &Path| *loading.lock().unwrap_or_else(PoisonError::into_inner) = file.to_owned();
    let loaded = isolate.examine(&site, loads).await;
    let mut bindings = problems_of_pages(&isolate, &routes);
    if loaded.values().all(Result::is_ok) {
        bindings.extend(isolate.problems());
    }
    let listed = isolate.listed_routes();
    send(Found { loaded, listed, bindings });
    config.hub.unregister(owner, CloseCode::IsolateLost);
}

/// A directive, as `page/binding_problems.js` gives it.
#[derive(Deserialize)]
struct Binding {
    /// Where it begins in the attribute's text, in UTF-16 units.
    at: usize,
    source: String,
    fills: bool,
    error: Option<String>,
    template: Option<String>,
}

/// Elements without content.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// Elements whose text has no escapes: nothing can be rendered into them or bound in them.
const RAW_TEXT: [&str; 7] = ["script", "style", "noscript", "iframe", "xmp", "noembed", "noframes"];

fn problems_of_pages(isolate: &Isolate, routes: &Routes) -> Vec<Diagnostic> {
    // Pages that share a layout can use every template that is defined in it.
    let pages = routes.pages().iter().map(|page| {
        // A file that cannot be read is reported below.
        let _ = page.read();
        page.path.clone()
    });
    let mut files: BTreeSet<_> = pages.collect();
    files.extend(routes.page_files());
    let mut templates = BTreeMap::new();
    for file in &files {
        let html = fs::read(file).unwrap_or_default();
        for (name, has_element) in survey::marks(&String::from_utf8_lossy(&html)).templates {
            *templates.entry(name).or_insert(false) |= has_element;
        }
    }
    files.iter().flat_map(|file| problems_of_page(isolate, file, &templates)).collect()
}

fn problems_of_page(isolate: &Isolate, file: &Path, templates: &BTreeMap<String, bool>) -> Vec<Diagnostic> {
    let html = match fs::read(file) {
        Ok(html) => String::from_utf8_lossy(&html).into_owned(),
        Err(error) => {
            return vec![Diagnostic::new(format!("cannot read the page {}: {error}", file.display()))];
        }
    };
    let found = survey::marks(&html);
    let problem = |message: String, at: usize, help: Option<String>| {
        let (line, column) = liveline_compiler::line_and_column(&html, at);
        Diagnostic::at(message, file, line, column).with_help(help)
    };
    let mut problems: Vec<_> =
        found.problems.iter().map(|it| problem(it.message.clone(), it.at, None)).collect();
    for (expression, at) in &found.comments {
        let bindings: Vec<Binding> =
            serde_json::from_str(&isolate.bindings_of(&format!("#text: {expression}"))).unwrap_or_default();
        for error in bindings.into_iter().filter_map(|binding| binding.error) {
            problems.push(problem(format!("this binding is broken: {error}"), *at, None));
        }
    }
    for mark in &found.marks {
        let element = mark.element.as_str();
        if RAW_TEXT.contains(&element) {
            problems.push(problem(
                format!("<{element}> cannot be bound: its text is no markup"),
                mark.at(0),
                None,
            ));
            continue;
        }
        let bindings: Vec<Binding> =
            serde_json::from_str(&isolate.bindings_of(&mark.text)).unwrap_or_default();
        if bindings.is_empty() {
            problems.push(problem(
                "this `render` is empty".to_owned(),
                mark.at(0),
                Some(HOW_TO_BIND.to_owned()),
            ));
        }
        for binding in bindings {
            let Binding { at, source, fills, error, template } = binding;
            let at = mark.at(byte_of(&mark.text, at));
            // Bindings of events and methods are OOHTML's, which runs them in the browser.
            let is_oohtmls = source.starts_with(['@', '$']) && html.to_ascii_lowercase().contains("oohtml");
            let is_path = |name: &String| name.contains(['/', '#', '@']);
            if is_oohtmls {
                continue;
            }
            if let Some(error) = error {
                problems.push(problem(format!("the binding `{source}` is broken: {error}"), at, None));
            } else if fills && VOID.contains(&element) {
                let help = "bind an attribute instead, as in `~value: name`".to_owned();
                problems.push(problem(
                    format!("<{element}> has no content that `{source}` could fill"),
                    at,
                    Some(help),
                ));
            } else if let Some(name) =
                template.filter(|name| !is_path(name) && templates.get(name) != Some(&true))
            {
                if found.has_imports && !templates.contains_key(&name) {
                    continue;
                }
                problems.push(missing_template(&name, templates, |message, help| {
                    problem(message, at, Some(help))
                }));
            }
        }
    }
    problems
}

const HOW_TO_BIND: &str = "write what the element shows, as in `render=\"#text: title\"`";

fn missing_template(
    name: &str,
    templates: &BTreeMap<String, bool>,
    problem: impl Fn(String, String) -> Diagnostic,
) -> Diagnostic {
    if templates.contains_key(name) {
        return problem(
            format!("the template `{name}` has no element in it"),
            "the first element in a template is what an item is made of".to_owned(),
        );
    }
    let near = dialect::nearest(name, templates.keys().map(String::as_str));
    let help = match (near, templates.keys().next()) {
        (Some(near), _) => format!("did you mean '{near}'?"),
        (None, Some(_)) => format!(
            "the page has {}",
            templates.keys().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ")
        ),
        (None, None) => format!(
            "write <template def=\"{name}\"><li>...</li></template> into the list, around it, or into the head"
        ),
    };
    problem(format!("the page has no template `{name}`"), help)
}

/// The offset in UTF-8 of one in UTF-16.
fn byte_of(text: &str, units: usize) -> usize {
    let mut seen = 0;
    let found = text.char_indices().find(|(_, character)| {
        let is_there = seen >= units;
        seen += character.len_utf16();
        is_there
    });
    found.map_or(text.len(), |(at, _)| at)
}
