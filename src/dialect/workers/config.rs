//! What wrangler's configuration says, for the parts that this host has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use liveline_compiler::Diagnostic;
use serde_json::{Value as Json, json};
use url::Url;

use super::bindings::{self, Binding, Consumer, Kind};
use super::tree::{Node, Source};
use crate::dialect::{FileKind, FileRule, nearest};

/// The configuration of one Worker, with the chosen environment applied.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub file: PathBuf,
    /// The name of the Worker.
    pub name: Option<String>,
    /// The module of the Worker.
    pub main: Option<PathBuf>,
    /// What `main` says, with its place, if the file does not exist.
    pub missing_main: Option<Diagnostic>,
    /// Whether the module is the one of Pages' advanced mode, which answers in place of the functions.
    pub is_advanced: bool,
    pub compatibility_date: String,
    pub compatibility_flags: BTreeSet<String>,
    pub bindings: Vec<Binding>,
    pub consumers: Vec<Consumer>,
    /// The classes of actors that migrations create, with whether their storage is SQLite.
    pub classes: BTreeMap<String, bool>,
    pub crons: Vec<Cron>,
    pub assets: Option<Assets>,
    pub rules: Vec<FileRule>,
    /// What code finds by a name: JSON, or another name; with the line.
    pub define: Vec<(String, String, usize)>,
    /// Modules that stand for others, by their specifiers.
    pub aliases: BTreeMap<String, String>,
    /// Names that this host and wrangler do not know.
    pub unknown: Vec<Diagnostic>,
}

/// A trigger by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    pub pattern: String,
    pub line: usize,
}

/// The static files of a Worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assets {
    pub directory: Option<PathBuf>,
    pub binding: Option<String>,
    pub html_handling: String,
    pub not_found_handling: String,
    /// `true`, or patterns of paths.
    pub run_worker_first: Json,
}

/// The date that a configuration without one stands for: what new projects get.
const NEWEST_DATE: &str = "2026-11-17";

/// Names at the top of the file that are no error. Most of them mean nothing here.
const KNOWN: [&str; 56] = [
    "$schema",
    "account_id",
    "ai",
    "alias",
    "analytics_engine_datasets",
    "assets",
    "base_dir",
    "browser",
    "build",
    "cloudchamber",
    "compatibility_date",
    "compatibility_flags",
    "configPath",
    "containers",
    "d1_databases",
    "data_blobs",
    "define",
    "dev",
    "dispatch_namespaces",
    "durable_objects",
    "env",
    "find_additional_modules",
    "first_party_worker",
    "hyperdrive",
    "images",
    "jsx_factory",
    "jsx_fragment",
    "keep_vars",
    "kv_namespaces",
    "legacy_env",
    "limits",
    "logfwdr",
    "logpush",
    "main",
    "migrations",
    "minify",
    "mtls_certificates",
    "name",
    "no_bundle",
    "node_compat",
    "observability",
    "pages_build_output_dir",
    "pipelines",
    "placement",
    "preserve_file_names",
    "preview_urls",
    "python_modules",
    "queues",
    "r2_buckets",
    "ratelimits",
    "route",
    "routes",
    "rules",
    "secrets",
    "secrets_store_secrets",
    "send_email",
];
/// The rest of them.
const KNOWN_TOO: [&str; 24] = [
    "send_metrics",
    "services",
    "site",
    "streaming_tail_consumers",
    "tail_consumers",
    "targetEnvironment",
    "text_blobs",
    "topLevelName",
    "triggers",
    "tsconfig",
    "type",
    "unsafe",
    "unsafe_hello_world",
    "upload_source_maps",
    "usage_model",
    "userConfigPath",
    "vars",
    "vectorize",
    "version_metadata",
    "vpc_services",
    "wasm_modules",
    "worker_loaders",
    "workers_dev",
    "workflows",
];

/// What Pages does with paths that are no file: a page `404.html`, where the site has one, else its first page.
pub(super) const PAGES_HANDLING: &str = "pages";

/// The module of Pages' advanced mode, which answers in place of the functions.
pub(super) const ADVANCED: &str = "_worker.js";

/// What files without code mean to wrangler where no rule is for them.
const USUAL_RULES: [(FileKind, &[&str]); 4] = [
    (FileKind::Text, &["**/*.txt", "**/*.html", "**/*.sql"]),
    (FileKind::Data, &["**/*.bin"]),
    (FileKind::Wasm, &["**/*.wasm"]),
    // No rule of wrangler's: its bundler takes JSON without `with { type: "json" }`.
    (FileKind::Json, &["**/*.json"]),
];

/// Reads a configuration for an environment; without a name for none.
pub(super) fn read(file: &Path, environment: Option<&str>) -> Result<Config, Vec<Diagnostic>> {
    let (source, root) = Source::read(file).map_err(|error| vec![error])?;
    let chosen = match environment {
        Some(name) => Some(environment_of(&source, &root, name).map_err(|error| vec![error])?),
        None => None,
    };
    Reader { source: &source, root: &root, chosen, problems: Vec::new() }.config()
}

fn environment_of<'a>(source: &Source, root: &'a Node, name: &str) -> Result<&'a Node, Diagnostic> {
    let environments = root.get("env");
    let found = environments.and_then(|environments| environments.get(name));
    found.ok_or_else(|| {
        let names: Vec<&str> =
            environments.map(Node::entries).unwrap_or_default().iter().map(|(key, _)| &*key.name).collect();
        let help = match (nearest(name, names.iter().copied()), names.is_empty()) {
            (Some(near), _) => format!("did you mean `--env {near}`?"),
            (None, true) => "it has none; leave out --env".to_owned(),
            (None, false) => format!("it has {}", names.join(", ")),
        };
        let at = environments.map_or(0, |environments| environments.at);
        source
            .error(format!("there is no environment `{name}` in the configuration"), at)
            .with_help(Some(help))
    })
}

pub(super) struct Reader<'a> {
    pub source: &'a Source,
    root: &'a Node,
    /// The chosen environment.
    chosen: Option<&'a Node>,
    pub problems: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A value of the environment, else that of the top.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.chosen.and_then(|chosen| chosen.get(name)).or_else(|| self.root.get(name))
    }

    /// Notes an error.
    pub(super) fn problem(&mut self, message: impl Into<String>, at: usize, help: Option<&str>) {
        let error = self.source.error(message, at).with_help(help.map(str::to_owned));
        self.problems.push(error);
    }

    /// The text of a name in a table; notes an error where it is missing or no text.
    pub(super) fn needed<'n>(&mut self, table: &'n Node, name: &str, of: &str) -> Option<&'n str> {
        match table.get(name) {
            Some(node) => match node.text() {
                Some(text) if !text.is_empty() => return Some(text),
                _ => self.problem(
                    format!("`{name}` of {of} is {}, and not a text", node.kind()),
                    node.at,
                    None,
                ),
            },
            None => self.problem(format!("{of} has no `{name}`"), table.at, None),
        }
        None
    }

    /// The elements of the list of a name; notes an error where it is no list.
    pub(super) fn list(&mut self, node: Option<&'a Node>, name: &str) -> &'a [Node] {
        let Some(node) = node else { return &[] };
        match &node.value {
            super::tree::Value::List(elements) => elements,
            _ => {
                self.problem(format!("`{name}` is {}, and not a list", node.kind()), node.at, None);
                &[]
            }
        }
    }

    fn config(mut self) -> Result<Config, Vec<Diagnostic>> {
        let folder = self.source.file.parent().unwrap_or(Path::new("/")).to_owned();
        let text = |reader: &Self, name: &str| reader.get(name).and_then(Node::text).map(str::to_owned);
        let (main, missing_main) = self.main(&folder);
        let is_advanced = main.is_some() && self.get("main").is_none();
        let classes = self.migrations();
        let bindings = bindings::read(&mut self);
        let consumers = bindings::consumers(&mut self);
        let compatibility_date = self.date();
        let flags = self.get("compatibility_flags").map(Node::elements).unwrap_or_default();
        let compatibility_flags = flags.iter().filter_map(|flag| flag.text().map(str::to_owned)).collect();
        let (crons, assets, rules) =
            (self.crons(), self.assets(&folder, is_advanced), self.rules(&folder, main.as_deref()));
        let name = text(&self, "name");
        let define = self.define();
        let aliases = self.texts("alias");
        let aliases = aliases.into_iter().map(|(name, to, _)| (name, module_in(&folder, to))).collect();
        let unknown = self.unknown();
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        Ok(Config {
            file: self.source.file.clone(),
            name,
            main,
            missing_main,
            is_advanced,
            compatibility_date,
            compatibility_flags,
            bindings,
            consumers,
            classes,
            crons,
            assets,
            rules,
            define,
            aliases,
            unknown,
        })
    }

    /// The names that code finds; notes an error where one cannot be defined.
    fn define(&mut self) -> Vec<(String, String, usize)> {
        let defined = self.texts("define");
        for (name, text, at) in &defined {
            let is_fixed = ["undefined", "NaN", "Infinity", "globalThis"].contains(&name.as_str());
            if is_fixed || !is_name(name) {
                let help = "a name such as VERSION, or a name with dots such as process.env.MODE";
                self.problem(format!("`{name}` of `define` cannot be defined"), *at, Some(help));
            } else if !is_name(text) && serde_json::from_str::<Json>(text).is_err() {
                let help = "a text needs quotes of its own: \"\\\"text\\\"\"";
                self.problem(format!("`{name}` of `define` is neither JSON nor a name"), *at, Some(help));
            }
        }
        defined.into_iter().map(|(name, text, at)| (name, text, self.source.line(at))).collect()
    }

    /// A table of texts, with their places; notes an error where one is none.
    fn texts(&mut self, name: &str) -> Vec<(String, String, usize)> {
        let mut texts = Vec::new();
        let table = self.get(name);
        if let Some(node) = table.filter(|node| !matches!(node.value, super::tree::Value::Table(_))) {
            self.problem(format!("`{name}` is {}, and not a table", node.kind()), node.at, None);
        }
        for (key, node) in table.map(Node::entries).unwrap_or_default() {
            match node.text() {
                Some(text) => texts.push((key.name.clone(), text.to_owned(), key.at)),
                None => self.problem(
                    format!("`{}` of `{name}` is {}, and not a text", key.name, node.kind()),
                    node.at,
                    None,
                ),
            }
        }
        texts
    }

    fn main(&mut self, folder: &Path) -> (Option<PathBuf>, Option<Diagnostic>) {
        let Some(node) = self.get("main") else {
            let pages = self.get("pages_build_output_dir").and_then(Node::text);
            return (pages.and_then(|pages| advanced(&joined(folder, pages))), None);
        };
        let Some(text) = node.text() else {
            self.problem(format!("`main` is {}, and not the path of a module", node.kind()), node.at, None);
            return (None, None);
        };
        let file = joined(folder, text);
        if file.is_file() {
            return (Some(file), None);
        }
        let help =
            "it is built by another program, or its path is misspelt; paths begin in the folder of this file";
        let missing = self.source.error(format!("there is no file `{text}`, which `main` names"), node.at);
        (None, Some(missing.with_help(Some(help.to_owned()))))
    }

    fn date(&mut self) -> String {
        let Some(node) = self.get("compatibility_date") else { return NEWEST_DATE.to_owned() };
        let date = node.text().unwrap_or_default();
        let is_date = date.len() == 10
            && date.bytes().enumerate().all(|(i, byte)| match i {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_date {
            self.problem("`compatibility_date` is no date", node.at, Some("write it as 2026-04-07"));
        }
        date.to_owned()
    }

    fn migrations(&mut self) -> BTreeMap<String, bool> {
        let mut classes = BTreeMap::new();
        for migration in self.list(self.get("migrations"), "migrations") {
            for (name, is_sqlite) in [("new_classes", false), ("new_sqlite_classes", true)] {
                classes.extend(migration.texts_of(name).into_iter().map(|class| (class, is_sqlite)));
            }
            for rename in migration.get("renamed_classes").map(Node::elements).unwrap_or_default() {
                let (Some(from), Some(to)) = (
                    self.needed(rename, "from", "a renamed class"),
                    self.needed(rename, "to", "a renamed class"),
                ) else {
                    continue;
                };
                let is_sqlite = classes.remove(from).unwrap_or(true);
                classes.insert(to.to_owned(), is_sqlite);
            }
            for class in migration.texts_of("deleted_classes") {
                classes.remove(&class);
            }
        }
        classes
    }

    fn crons(&mut self) -> Vec<Cron> {
        let Some(triggers) = self.get("triggers") else { return Vec::new() };
        let mut crons = Vec::new();
        for cron in self.list(triggers.get("crons"), "crons") {
            let pattern = cron.text().unwrap_or_default();
            match super::cron_of(pattern) {
                Ok(_) => {
                    crons.push(Cron { pattern: pattern.to_owned(), line: self.source.line(cron.at) });
                }
                Err(reason) => {
                    let help = "five fields: minute, hour, day, month, weekday (1 is Sunday)";
                    self.problem(format!("`{pattern}` is no cron expression: {reason}"), cron.at, Some(help));
                }
            }
        }
        crons
    }

    /// The static files. In Pages' advanced mode the Worker answers before them.
    fn assets(&mut self, folder: &Path, is_advanced: bool) -> Option<Assets> {
        let pages = self.get("pages_build_output_dir").and_then(Node::text);
        let node = self.get("assets");
        if node.is_none() && pages.is_none() {
            return None;
        }
        let text = |name: &str| node.and_then(|node| node.text_of(name)).map(str::to_owned);
        for (name, known) in [
            (
                "html_handling",
                &["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"][..],
            ),
            ("not_found_handling", &["single-page-application", "404-page", "none"][..]),
        ] {
            let value = node.and_then(|node| node.get(name));
            if let Some(value) = value.filter(|value| value.text().is_none_or(|text| !known.contains(&text)))
            {
                let near = nearest(value.text().unwrap_or_default(), known.iter().copied());
                let help = near.map_or_else(|| known.join(", "), |near| format!("did you mean \"{near}\"?"));
                self.problem(format!("`{name}` has no such value"), value.at, Some(&help));
            }
        }
        let directory = text("directory").or(pages.map(str::to_owned)).map(|path| joined(folder, &path));
        let first = node.and_then(|node| node.get("run_worker_first"));
        Some(Assets {
            directory,
            binding: text("binding").or_else(|| pages.map(|_| "ASSETS".to_owned())),
            html_handling: text("html_handling").unwrap_or_else(|| "auto-trailing-slash".to_owned()),
            not_found_handling: text("not_found_handling").unwrap_or_else(|| match pages {
                Some(_) => PAGES_HANDLING.to_owned(),
                None => "none".to_owned(),
            }),
            run_worker_first: first.map_or(json!(is_advanced), Node::json),
        })
    }

    /// The rules for imports of files: the configuration's own, and wrangler's usual ones after them.
    fn rules(&mut self, folder: &Path, main: Option<&Path>) -> Vec<FileRule> {
        let mut rules = Vec::new();
        let mut ended: BTreeSet<FileKind> = BTreeSet::new();
        for rule in self.list(self.get("rules"), "rules") {
            let Some(name) = self.needed(rule, "type", "a rule") else { continue };
            let kind = match name {
                "Text" => FileKind::Text,
                "Data" => FileKind::Data,
                "CompiledWasm" => FileKind::Wasm,
                "ESModule" | "CommonJS" => FileKind::Code,
                _ => {
                    let near = nearest(name, ["ESModule", "CommonJS", "CompiledWasm", "Text", "Data"]);
                    let help = near.map(|near| format!("did you mean \"{near}\"?"));
                    let at = rule.get("type").map_or(rule.at, |node| node.at);
                    self.problem(format!("no rule has the type \"{name}\" here"), at, help.as_deref());
                    continue;
                }
            };
            // Rules are for files below the folder of the Worker's module, or of the configuration.
            let globs = rule.texts_of("globs");
            let roots = [Some(folder), main.and_then(Path::parent)].into_iter().flatten();
            rules.extend(roots.map(|root| FileRule { globs: globs.clone(), root: root.to_owned(), kind }));
            if rule.get("fallthrough").and_then(Node::boolean) == Some(false) {
                ended.insert(kind);
            }
        }
        rules.extend(usual_rules(folder).into_iter().filter(|rule| !ended.contains(&rule.kind)));
        rules
    }

    fn unknown(&self) -> Vec<Diagnostic> {
        let known = || KNOWN.iter().chain(&KNOWN_TOO).copied();
        let tables = [Some(self.root), self.chosen].into_iter().flatten();
        let keys = tables.flat_map(Node::entries).map(|(key, _)| key);
        let unknown = keys.filter(|key| !known().any(|name| name == key.name));
        let problem = |key: &super::tree::Key| {
            let help = nearest(&key.name, known()).map(|near| format!("did you mean `{near}`?"));
            self.source
                .error(format!("wrangler's configuration has no `{}`", key.name), key.at)
                .with_help(help)
        };
        unknown.map(problem).collect()
    }
}

impl Config {
    /// The classes that bindings name, in the order of the bindings.
    pub(super) fn bound_classes(&self) -> impl Iterator<Item = (&Binding, &str)> {
        self.bindings.iter().filter_map(|binding| match &binding.kind {
            Kind::Actor { class } => Some((binding, class.as_str())),
            _ => None,
        })
    }

    /// The line of a place in the file, for messages of the JavaScript half.
    pub(super) fn place(&self, line: usize) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}:{line}")
    }
}

/// The module of Pages' advanced mode in the folder that Pages serves: `_worker.js`, or the index of a folder of that
/// name.
fn advanced(public: &Path) -> Option<PathBuf> {
    [ADVANCED, "_worker.js/index.js"].map(|name| public.join(name)).into_iter().find(|file| file.is_file())
}

/// The rules of a project whose configuration has none.
pub(super) fn usual_rules(folder: &Path) -> Vec<FileRule> {
    let rule = |(kind, globs): (FileKind, &[&str])| {
        let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
        FileRule { globs, root: folder.to_owned(), kind }
    };
    USUAL_RULES.into_iter().map(rule).collect()
}

/// A path relative to a folder, without `.` and `..`.
pub(super) fn joined(folder: &Path, path: &str) -> PathBuf {
    let mut found = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = found.pop(),
            part => found.push(part),
        }
    }
    found
}
/// Whether a text is names of JavaScript with dots between them. No part leads to the prototypes of objects.
fn is_name(text: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
    text.split('.').all(|part| {
        part != "__proto__"
            && part.chars().all(is_part)
            && !part.is_empty()
            && !part.starts_with(char::is_numeric)
    })
}

/// Makes the relative target of an alias a file's URL; other targets stay as they are.
fn module_in(folder: &Path, to: String) -> String {
    let is_path = to.starts_with("./") || to.starts_with("../") || to.starts_with('/');
    let url = is_path.then(|| Url::from_file_path(joined(folder, &to)).ok()).flatten();
    url.map_or(to, String::from)
}
