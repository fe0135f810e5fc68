//! The Workers dialect: code that is written for Cloudflare's Workers, Pages and Durable Objects.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | wrangler's configuration |
//! | `bindings` | what `env` has |
//! | `tree` | the values of the configuration, with their places |
//! | `asset_rules` | `_headers` and `_redirects` of the static files |
//! | `functions` | the files of `functions/`, whose paths are routes |
//!
//! All files of a Worker are one application: one of them stands for it at the root and answers every request, and the
//! JavaScript half (`runtime-js/workers/`) chooses among them. So `env`, static files and functions follow the rules of
//! Workers, and not those of the walk.

mod asset_rules;
mod bindings;
mod config;
mod functions;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::EXTENSIONS;
use liveline_compiler::shape::Shape;
use serde_json::{Value as Json, json};

use super::{Claim, Dialect, Explanation, Exports, HandlerFacts, HandlerOptions, Settings};
use crate::router::{Layer, Layout, LayoutError, Part, PrivateFiles, RouteFolder, Routes};
use config::Config;
use functions::Function;

/// Workers, functions of Pages, and classes of Durable Objects.
pub(super) struct Workers;

/// The folder of functions.
const FUNCTIONS: &str = "functions";
/// The folder of classes of actors.
const CLASSES: &str = "durable-objects";
/// Modules that are a Worker without any configuration, if their default export is one; the first counts.
const MODULES: [&str; 5] = ["_worker", "worker", "index", "src/worker", "src/index"];
/// Variables and secrets that are not for others, as wrangler reads them.
const DEV_VARS: &str = ".dev.vars";

/// The score of files that a configuration names.
const CONFIGURED: u32 = 160;
/// The score of modules that are a Worker by their default export.
const BY_SHAPE: u32 = 60;
/// The score of files with classes.
const OF_CLASSES: u32 = 80;

/// The files of a project that the dialect takes.
struct Project {
    config: Option<Config>,
    /// The module of the Worker.
    main: Option<(PathBuf, u32)>,
    functions: Vec<Function>,
    /// Modules that export classes of actors, with the names of the classes.
    classes: Vec<(PathBuf, BTreeSet<String>)>,
}

impl Project {
    fn read(layout: &Layout) -> Result<Project, Vec<Diagnostic>> {
        let config = match &layout.wrangler {
            Some(file) => Some(config::read(file, layout.environment.as_deref())?),
            None => None,
        };
        let mut functions = functions::read(&layout.root.join(FUNCTIONS));
        let classes = classes_in(&layout.root.join(CLASSES));
        let main = match &config {
            Some(config) => config.main.clone().map(|file| (file, CONFIGURED)),
            None => module_by_shape(layout).map(|file| (file, BY_SHAPE)),
        };
        if config.as_ref().is_some_and(|config| config.is_advanced) {
            functions.clear();
        }
        Ok(Project { config, main, functions, classes })
    }

    /// The claims: of the files that answer, the first stands for all.
    fn claims(&self) -> Vec<Claim> {
        let layer = Layer::Server;
        let main = self.main.iter().map(|(file, score)| ("/".to_owned(), file, *score));
        let surer = if self.config.is_some() { CONFIGURED } else { 0 };
        let functions = self.functions.iter().map(|it| (it.pattern(), &it.file, it.score.max(surer)));
        let answering = main.chain(functions).enumerate().map(|(index, (route, file, score))| {
            let part = if index == 0 { Part::Application } else { Part::Module };
            Claim { route, layer, file: file.clone(), score, part }
        });
        let classes = self.classes.iter().map(|(file, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let route = format!("class {}", names.join(", "));
            Claim { route, layer, file: file.clone(), score: OF_CLASSES, part: Part::Module }
        });
        answering.chain(classes).collect()
    }

    /// Whether the Worker has the older format: a script without exports, which listens for events.
    fn is_script(&self) -> bool {
        let Some((file, _)) = &self.main else { return false };
        let source = fs::read_to_string(file).unwrap_or_default();
        // A text that cannot be parsed is an error when it is loaded.
        Shape::of(file, &source).is_none_or(|shape| shape.exports.is_empty()) && !source.contains("export *")
    }

    /// What the JavaScript half gets. `claims` are those that this dialect has in the end.
    fn script(&self, layout: &Layout, claims: &[Claim]) -> String {
        let is_own = |file: &Path| claims.iter().any(|claim| claim.file == file);
        let main = self.main.iter().map(|(file, _)| json!({ "part": "main", "file": canonical(file) }));
        let functions = self.functions.iter().filter(|function| is_own(&function.file)).map(|function| {
            let mut json = function.json();
            json["file"] = json!(canonical(&function.file));
            json
        });
        let classes = self.classes.iter().filter(|(file, _)| is_own(file));
        let classes = classes.map(|(file, _)| json!({ "part": "classes", "file": canonical(file) }));
        let parts: Vec<Json> = main.chain(functions).chain(classes).collect();
        let (headers, redirects) = match &layout.public {
            Some(folder) => asset_rules::read(folder),
            None => Default::default(),
        };
        let mut script = json!({
            "parts": parts,
            "secrets": secrets(layout),
            "headers": headers,
            "redirects": redirects,
            "isScript": self.is_script(),
        });
        let is_advanced = self.config.as_ref().is_some_and(|config| config.is_advanced);
        if let Some(public) = layout.public.as_ref().filter(|_| is_advanced || !self.functions.is_empty()) {
            script["routes"] = asset_rules::routes(public);
        }
        if self.main.is_none() && !self.functions.is_empty() {
            // Pages without a configuration.
            script["assets"] = json!({ "notFoundHandling": config::PAGES_HANDLING });
        }
        let Some(config) = &self.config else { return script.to_string() };
        let assets = config.assets.as_ref().map(|assets| {
            json!({
                "htmlHandling": assets.html_handling,
                "notFoundHandling": assets.not_found_handling,
                "runWorkerFirst": assets.run_worker_first,
            })
        });
        script["name"] = json!(config.name);
        script["file"] = json!(config.file);
        script["date"] = json!(config.compatibility_date);
        script["flags"] = json!(config.compatibility_flags);
        let bindings = config.bindings.iter().map(|it| it.json(config.place(it.line)));
        script["bindings"] = bindings.collect();
        script["classes"] = json!(config.classes);
        script["consumers"] = config.consumers.iter().map(bindings::Consumer::json).collect();
        let define = config
            .define
            .iter()
            .map(|(name, text, line)| json!({ "name": name, "text": text, "line": line }));
        script["define"] = define.collect();
        script["crons"] = config.crons.iter().map(|cron| cron.pattern.clone()).collect();
        if let Some(assets) = assets {
            script["assets"] = assets;
        }
        script.to_string()
    }
}

impl Dialect for Workers {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn detect(&self, layout: &Layout, folders: &[RouteFolder]) -> Vec<Claim> {
        // What is wrong with the configuration is reported by `settings`.
        let Ok(mut project) = Project::read(layout) else { return Vec::new() };
        // A folder of Webflo's handlers may have any other file.
        let is_handler = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("handler.");
        if project.config.is_none() && folders.iter().any(|folder| folder.files.iter().any(is_handler)) {
            project.main = None;
        }
        project.claims()
    }

    fn is_found_by_text(&self, layout: &Layout, file: &Path) -> bool {
        let Ok(inside) = file.strip_prefix(&layout.root) else { return false };
        inside.starts_with(FUNCTIONS)
            || inside.starts_with(CLASSES)
            || MODULES.iter().any(|stem| inside.with_extension("") == Path::new(stem))
    }

    fn settings(&self, layout: &Layout, claims: &[Claim]) -> Result<Settings, Vec<Diagnostic>> {
        let mut project = Project::read(layout)?;
        if claims.is_empty() && project.config.is_none() {
            return Ok(Settings::default());
        }
        project.main = project.main.filter(|(file, _)| claims.iter().any(|claim| claim.file == *file));
        if let Some(missing) = project.config.as_ref().and_then(|config| config.missing_main.clone()) {
            return Err(vec![missing]);
        }
        let files = match &project.config {
            Some(config) => config.rules.clone(),
            None => config::usual_rules(&layout.root),
        };
        let aliases = project.config.as_ref().map(|config| config.aliases.clone()).unwrap_or_default();
        let secrets = secrets_files(layout);
        let rules = ["_headers", "_redirects", asset_rules::ROUTES]
            .map(|name| layout.public.as_ref().map(|it| it.join(name)));
        let main = project.main.iter().map(|(file, _)| &**file);
        let ignore = layout.public.as_ref().map(|public| public.join(ASSETS_IGNORE));
        let sources = layout.wrangler.iter().cloned().chain(secrets).chain(rules.into_iter().flatten());
        let sources = sources.chain(ignore);
        let scripts = vec![(self.name(), project.script(layout, claims))];
        let is_application = claims.iter().any(|claim| claim.part == Part::Application);
        let sources = sources.collect();
        Ok(Settings {
            scripts,
            files,
            aliases,
            has_jsx: true,
            is_application,
            is_for_workers: true,
            private: private_files(layout.public.as_deref(), main.chain(layout.wrangler.as_deref())),
            sources,
            ..Settings::default()
        })
    }

    fn is_private(&self, _: &Path) -> bool {
        false
    }

    fn load(&self, _: &Exports) -> HandlerOptions {
        // Workers decide for themselves which sites may send them what.
        HandlerOptions { csrf: Some(false), ..HandlerOptions::default() }
    }

    fn explain(&self, handler: &HandlerFacts<'_>) -> Explanation {
        let mut answers: Vec<String> = handler
            .exports
            .functions()
            .filter(|(_, is_function)| *is_function)
            .filter_map(|(name, _)| functions::method_of(name).map(str::to_owned))
            .collect();
        if handler.exports.has("default") {
            answers.push("*".to_owned());
        }
        answers.sort();
        answers.dedup();
        Explanation { answers, problems: express(handler).into_iter().collect() }
    }

    fn explain_folder(&self, layout: &Layout, _: &Routes, _: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
        let Ok(project) = Project::read(layout) else { return Vec::new() };
        project.config.map(|config| config.unknown).unwrap_or_default()
    }
}

/// A handler that looks like one of Express: the second parameter is no response here.
fn express(handler: &HandlerFacts<'_>) -> Option<Diagnostic> {
    let (_, source) = handler.facts?;
    let shape = Shape::of(handler.file, source)?;
    let is_response = |name: &String| ["response", "res"].contains(&name.as_str());
    let second = shape.parameters()?.get(1).filter(|name| is_response(name))?;
    let (line, column) =
        source.find("export default").map_or((1, 1), |at| liveline_compiler::line_and_column(source, at));
    let help =
        "take `(request, context)`, and return a Response; or write `// dialect: NAME` as the first line";
    let message = format!(
        "this looks like a handler of Express: here the second parameter, `{second}`, is the context"
    );
    Some(Diagnostic::at(message, handler.file, line, column).with_help(Some(help.to_owned())))
}

/// Completes the folders of a project by wrangler's configuration: its folder of static files.
pub(super) fn arrange(layout: &mut Layout, has_public: bool) -> Result<(), Vec<Diagnostic>> {
    let Some(file) = layout.wrangler.clone().filter(|_| !has_public) else { return Ok(()) };
    // Errors are reported when the code is loaded, and mended without a restart.
    let Ok(config) = config::read(&file, layout.environment.as_deref()) else { return Ok(()) };
    let Some(folder) = config.assets.and_then(|assets| assets.directory) else { return Ok(()) };
    let Ok(public) = folder.canonicalize() else {
        tracing::warn!("there is no folder {}, which `assets` in {} names", folder.display(), file.display());
        layout.public = None;
        return Ok(());
    };
    if layout.root.starts_with(&public) && !hides_code(&public, config.main.as_deref()) {
        let routes = layout.routes.clone();
        let error = LayoutError::PublicHoldsRoutes { public, routes };
        let help = format!("or write the files that are not public into `{ASSETS_IGNORE}` in that folder");
        return Err(vec![Diagnostic::new(error.to_string()).with_help(Some(help))]);
    }
    layout.public = Some(public);
    Ok(())
}

/// The list of files in the folder of static files that are not served, in the format of `.gitignore`.
const ASSETS_IGNORE: &str = ".assetsignore";

/// The files in the folder of static files that are not served: those that the project lists, and its `own`, which are the
/// Worker and wrangler's configuration.
fn private_files<'a>(public: Option<&Path>, own: impl IntoIterator<Item = &'a Path>) -> PrivateFiles {
    let mut private = PrivateFiles::default();
    let Some(public) = public else { return private };
    private.extend(fs::read_to_string(public.join(ASSETS_IGNORE)).unwrap_or_default().lines());
    private.add(Path::new(config::ADVANCED));
    own.into_iter().filter_map(|file| file.strip_prefix(public).ok()).for_each(|inside| private.add(inside));
    private
}

/// Whether a folder of static files that has the whole project in it lists its code among what is not served.
fn hides_code(public: &Path, main: Option<&Path>) -> bool {
    let listed = private_files(Some(public), None);
    main.is_none_or(|main| main.strip_prefix(public).is_ok_and(|inside| listed.have(inside)))
}

/// What the configuration adds to the list of routes: classes, bindings, times and queues, a line each.
pub(super) fn listing(layout: &Layout) -> Vec<String> {
    let Ok(Project { config: Some(config), .. }) = Project::read(layout) else { return Vec::new() };
    let mut rows = vec![["BINDING", "WHAT", "PLACE"].map(str::to_owned)];
    rows.extend(
        config
            .bindings
            .iter()
            .map(|binding| [binding.name.clone(), binding.kind.shown(), config.place(binding.line)]),
    );
    let bound: BTreeSet<&str> = config.bound_classes().map(|(_, class)| class).collect();
    let classes: BTreeMap<&str, bool> =
        config.classes.iter().map(|(class, sql)| (class.as_str(), *sql)).collect();
    rows.extend(bound.iter().map(|class| {
        let storage = if classes.get(class) == Some(&false) { "key-value" } else { "SQLite" };
        ["-".to_owned(), format!("class {class}, storage {storage}"), config.place(1)]
    }));
    rows.extend(
        config
            .crons
            .iter()
            .map(|cron| ["-".to_owned(), format!("cron {}", cron.pattern), config.place(cron.line)]),
    );
    rows.extend(config.consumers.iter().map(|consumer| {
        ["-".to_owned(), format!("consumer of queue {}", consumer.queue), config.place(consumer.line)]
    }));
    if rows.len() == 1 {
        return Vec::new();
    }
    let widths: [usize; 3] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let line = |row: &[String; 3]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A cron expression with five fields, as Cloudflare reads it: weekdays from 1, which is Sunday.
pub(super) fn cron_of(pattern: &str) -> Result<Cron, String> {
    if pattern.split_whitespace().count() != 5 {
        return Err("it does not have five fields".to_owned());
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .alternative_weekdays(true)
        .build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

/// The module that is a Worker by its default export.
fn module_by_shape(layout: &Layout) -> Option<PathBuf> {
    if layout.routes != layout.root {
        return None;
    }
    let files = MODULES.iter().flat_map(|stem| {
        EXTENSIONS.iter().map(move |extension| layout.root.join(format!("{stem}.{extension}")))
    });
    files.filter(|file| file.is_file()).find(|file| {
        let source = fs::read_to_string(file).unwrap_or_default();
        Shape::of(file, &source).is_some_and(|shape| functions::evidence(&shape) >= BY_SHAPE)
    })
}

/// The modules in a folder that export classes.
fn classes_in(folder: &Path) -> Vec<(PathBuf, BTreeSet<String>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let is_module = |file: &PathBuf| {
        file.is_file() && file.file_name().and_then(|it| it.to_str()).and_then(functions::stem_of).is_some()
    };
    let with_classes = |file: PathBuf| {
        let source = fs::read_to_string(&file).unwrap_or_default();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A file that cannot be parsed is loaded, so that its error is shown.
        let classes = match Shape::of(&file, &source) {
            None => BTreeSet::from([stem]),
            Some(shape) => {
                let of_default = shape.exports.contains("default").then_some(stem);
                shape.classes.into_iter().filter(|name| name != "default").chain(of_default).collect()
            }
        };
        (!classes.is_empty()).then_some((file, classes))
    };
    files.into_iter().filter(is_module).filter_map(with_classes).collect()
}

/// The files with variables that are not for others: that of the environment, else the plain one.
fn secrets_files(layout: &Layout) -> impl Iterator<Item = PathBuf> {
    let of_environment = layout.environment.as_ref().map(|name| format!("{DEV_VARS}.{name}"));
    let names = of_environment.into_iter().chain([DEV_VARS.to_owned()]);
    names.map(|name| layout.root.join(name)).collect::<Vec<_>>().into_iter()
}

/// The variables of `.dev.vars`.
fn secrets(layout: &Layout) -> BTreeMap<String, String> {
    let text = secrets_files(layout).find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let mut secrets = BTreeMap::new();
    deno_dotenv::parse_env_content_hook(&text, &mut |name, value| {
        secrets.insert(name.to_owned(), value.to_owned());
    });
    secrets
}

fn canonical(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}
