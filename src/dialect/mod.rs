//! Dialects: conventions by which a project's files say what answers where.
//!
//! A dialect is an adapter of five functions over what all of them share: one table of routes
//! ([`router`](crate::router)), one walk along it, the same events, lines and sessions. No dialect has a transport of
//! its own.
//!
//! | function | where it stands | when it is called |
//! |---|---|---|
//! | detect | [`Dialect::detect`] | the code of a generation is read: which files are handlers, and of which routes |
//! | load | [`Dialect::load`], and `load` of the JavaScript half | a handler's module was evaluated: what it exports becomes the functions of a step |
//! | invoke | the functions that this `load` returns | the walk comes to a step: they call the handler with this dialect's arguments |
//! | dispose | `dispose` of the JavaScript half | no more requests come to a generation |
//! | explain | [`Dialect::explain`], [`Dialect::explain_folder`] | `liveline check` and `liveline routes` |
//!
//! Load, invoke and dispose run in the isolate, so they are JavaScript: `runtime-js/dispatch/dialects.js` lists the half
//! of each dialect. A new dialect is a file here, a file there, and one entry in each of the two lists ([`ALL`] is this
//! one).

mod aiwebengine;
mod directive;
mod fastify;
mod larc;
mod settings;
mod spelling;
mod webflo;
mod workers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::router::{DetectedHandler, Layer, Layout, Part, RouteFolder, Routes, Scan, ScanError};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::Facts;

pub(crate) use aiwebengine::{ScriptScope, scope_source};
pub(crate) use settings::{FileKind, FileRule, Settings};
pub(crate) use spelling::{nearest, nearest_within};

/// Every dialect that is served. One that claims the same file as another has to be surer than that one.
static ALL: [&dyn Dialect; 5] =
    [&webflo::Webflo, &workers::Workers, &fastify::Fastify, &aiwebengine::Aiwebengine, &larc::Larc];

/// The part of a dialect that is Rust.
pub(crate) trait Dialect: Sync {
    /// The dialect's name, which is also that of its JavaScript half.
    fn name(&self) -> &'static str;

    /// The handlers among the files of a project. `folders` are those that may be routes, parents first.
    fn detect(&self, layout: &Layout, folders: &[RouteFolder]) -> Vec<Claim>;

    /// Whether the text of a file may be why the dialect finds other handlers than before. Called for a handler of Webflo's,
    /// or what one imports, in a project without handlers of other dialects, after the file has changed.
    fn is_found_by_text(&self, _layout: &Layout, _file: &Path) -> bool {
        false
    }

    /// What the project's configuration decides, besides which files are handlers. `claims` are the dialect's own.
    fn settings(&self, _layout: &Layout, _claims: &[Claim]) -> Result<Settings, Vec<Diagnostic>> {
        Ok(Settings::default())
    }

    /// Whether a file, by its name alone, holds code that only the server may read: no browser gets it, even where
    /// a module of a page imports it.
    fn is_private(&self, file: &Path) -> bool;

    /// What a handler's exports ask of the host, besides answering requests.
    fn load(&self, exports: &Exports) -> HandlerOptions;

    /// Whether servers that the dialect's code makes are reached by the host's listener.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "there is no Node's half there"))]
    fn adopts_listeners(&self) -> bool {
        false
    }

    /// Whether its files serve without those that do not load.
    fn stands_alone(&self) -> bool {
        false
    }

    /// Whether its code needs Node's half even where no module uses it itself.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "there is no Node's half there"))]
    fn needs_node(&self) -> bool {
        false
    }

    /// Whether its code can be loaded again in the isolate that runs the code before, so that modules that have not
    /// changed keep their state. Its JavaScript half decides in each case (`keepsModules`).
    fn keeps_modules(&self) -> bool {
        false
    }

    /// What a handler answers, and what is wrong with its exports.
    fn explain(&self, handler: &HandlerFacts<'_>) -> Explanation;

    /// What is wrong with the project's folders: files whose names look as if they were meant to be handlers, or
    /// nothing to serve at all. `imported` are the files that handlers import, whose names mean nothing.
    fn explain_folder(
        &self,
        layout: &Layout,
        routes: &Routes,
        imported: &BTreeSet<PathBuf>,
    ) -> Vec<Diagnostic>;
}

/// A file that a dialect takes for a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The route that the handler stands at, as a pattern: `/products/-`.
    pub route: String,
    /// Where the handler runs.
    pub layer: Layer,
    /// The handler's file; a link is followed later.
    pub file: PathBuf,
    /// How sure the dialect is: the sum of the evidence in the file, between 1 and 100 for each piece. Of two dialects
    /// that claim a file the surer one has it.
    pub score: u32,
    /// What the file does for the route.
    pub part: Part,
}

/// What a module exports, by name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Exports(BTreeMap<String, Export>);

/// What one export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Export {
    /// A function or a class.
    Function,
    /// `true` or `false`.
    Boolean(bool),
    /// Any other value.
    Other,
}

impl Exports {
    /// Whether there is an export of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether the export of this name is a function.
    pub(crate) fn is_function(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Export::Function)
    }

    /// The export of this name, if it is `true` or `false`.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Export::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// Every name in order, with whether the export is a function.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(name, export)| (name.as_str(), *export == Export::Function))
    }
}

impl FromIterator<(String, Export)> for Exports {
    fn from_iter<I: IntoIterator<Item = (String, Export)>>(exports: I) -> Exports {
        Exports(exports.into_iter().collect())
    }
}

/// What a handler asks of the host.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandlerOptions {
    /// Whether requests that a page of another site sends are refused; None where the handler does not say.
    pub csrf: Option<bool>,
    /// Whether pages of every origin may open its WebSockets, as far as the host is concerned.
    pub admits_all_origins: bool,
}

/// What `liveline check` knows of a handler.
pub(crate) struct HandlerFacts<'a> {
    /// The handler's file.
    pub file: &'a Path,
    /// What the file exports: as it was evaluated, or where that failed as far as its text shows.
    pub exports: &'a Exports,
    /// The facts in the text of the file, and the text; None where it cannot be parsed.
    pub facts: Option<&'a (Facts, String)>,
    /// Whether the module was evaluated, or could be.
    pub loads: bool,
}

/// What `liveline check` and `liveline routes` show of a handler.
#[derive(Debug, Default)]
pub(crate) struct Explanation {
    /// The methods that the handler answers, `*` for every other one.
    pub answers: Vec<String>,
    /// What is wrong with the handler.
    pub problems: Vec<Diagnostic>,
}

/// Reads a project's folders and its configuration.
pub(crate) fn read(layout: &Layout) -> Result<(Routes, Settings), Vec<Diagnostic>> {
    read_of(&ALL, layout)
}

/// Whether [`read`] would find the routes and the settings that it has found before the content of these files changed:
/// each is a handler or is imported by one. Looks at no other file of code. Where it is not sure, it says no.
pub(crate) fn finds_the_same<'a>(
    layout: &Layout,
    routes: &Routes,
    files: impl IntoIterator<Item = &'a PathBuf>,
) -> bool {
    let webflo = webflo::Webflo.name();
    routes.handlers().iter().all(|handler| handler.dialect == webflo)
        && files.into_iter().all(|file| {
            directive::of(file).is_none() && !ALL.iter().any(|dialect| dialect.is_found_by_text(layout, file))
        })
}

/// Completes what is known of a project's folders by its configuration. `has_public` says that the folder of static files
/// was named elsewhere.
pub(crate) fn arrange(layout: &mut Layout, has_public: bool) -> Result<(), Vec<Diagnostic>> {
    workers::arrange(layout, has_public)
}

/// What a project's configuration adds to the list of its routes, a line each.
pub(crate) fn listing(layout: &Layout) -> Vec<String> {
    workers::listing(layout)
}

/// Whether a file, by its name alone, is private to the server in any dialect.
pub(crate) fn is_private(file: &Path) -> bool {
    ALL.iter().any(|dialect| dialect.is_private(file))
}

/// The dialect of a handler, by the name that is noted in the [`Handler`](crate::router::Handler).
pub(crate) fn named(name: &str) -> &'static dyn Dialect {
    let dialect = ALL.iter().find(|dialect| dialect.name() == name);
    *dialect.expect("handlers come from `read`, which notes the name of a dialect in the list")
}

/// Whether the dialect of any handler is one that [keeps modules](Dialect::keeps_modules).
pub(crate) fn any_keeps_modules(routes: &Routes) -> bool {
    routes.handlers().iter().any(|handler| named(handler.dialect).keeps_modules())
}

/// What is wrong with a project's folders, in every dialect.
pub(crate) fn explain_folder(
    layout: &Layout,
    routes: &Routes,
    imported: &BTreeSet<PathBuf>,
) -> Vec<Diagnostic> {
    ALL.iter().flat_map(|dialect| dialect.explain_folder(layout, routes, imported)).collect()
}

fn read_of(dialects: &[&dyn Dialect], layout: &Layout) -> Result<(Routes, Settings), Vec<Diagnostic>> {
    let failed = |error: ScanError| vec![Diagnostic::new(error.to_string())];
    let mut scan = Scan::read(layout).map_err(failed)?;
    let claims = claims(dialects, layout, &scan).map_err(failed)?;
    let mut settings = Settings::default();
    for dialect in dialects {
        let own = claims.iter().filter(|(name, _)| *name == dialect.name());
        let own: Vec<_> = own.map(|(_, claim)| claim.clone()).collect();
        settings.extend(dialect.settings(layout, &own)?);
    }
    for (dialect, Claim { route, layer, file, part, .. }) in claims {
        scan.add(DetectedHandler { route, layer, file, dialect, part }).map_err(failed)?;
    }
    Ok((scan.into_routes(), settings))
}

/// The claims of dialects, each file with the dialect that has it.
fn claims(
    dialects: &[&dyn Dialect],
    layout: &Layout,
    scan: &Scan,
) -> Result<Vec<(&'static str, Claim)>, ScanError> {
    let mut claims: Vec<(&'static str, Claim)> = dialects
        .iter()
        .flat_map(|dialect| {
            dialect.detect(layout, scan.folders()).into_iter().map(|claim| (dialect.name(), claim))
        })
        .collect();
    let mut named = HashMap::new();
    for (_, Claim { file, .. }) in &claims {
        named.entry(file.clone()).or_insert_with(|| directive::of(file));
    }
    let known: Vec<_> = ALL.iter().map(|dialect| dialect.name()).collect();
    for (file, name) in &named {
        if let Some(name) = name.as_deref().filter(|name| !known.contains(name)) {
            return Err(ScanError::UnknownDialect { file: file.clone(), name: name.to_owned(), known });
        }
    }
    claims.retain(|(dialect, claim)| named[&claim.file].as_deref().is_none_or(|name| name == *dialect));
    let mut owners: HashMap<PathBuf, (&'static str, u32)> = HashMap::new();
    for (dialect, claim) in &claims {
        match owners.get(&claim.file) {
            Some((owner, score)) if owner != dialect && *score == claim.score => {
                return Err(ScanError::TwoDialects { file: claim.file.clone(), names: [owner, dialect] });
            }
            Some((_, score)) if *score >= claim.score => {}
            _ => _ = owners.insert(claim.file.clone(), (dialect, claim.score)),
        }
    }
    let owners: HashMap<PathBuf, &'static str> =
        owners.into_iter().map(|(file, (dialect, _))| (file, dialect)).collect();
    claims.retain(|(dialect, claim)| owners[&claim.file] == *dialect);
    Ok(claims)
}

/// The handlers of a project with these files, as `dialect pattern file`.
#[cfg(test)]
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a folder");
    for (file, text) in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let layout = Layout::find(dir.path(), None).expect("a project");
    let shown =
        |path: &Path| path.strip_prefix(&layout.root).expect("it is in the project").display().to_string();
    let (routes, _) = read(&layout).expect("routes");
    let all = routes.handlers().iter();
    all.map(|it| format!("{} {} {}", it.dialect, it.pattern, shown(&it.path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::segments;
    use std::fs;
    use tempfile::TempDir;

    /// A dialect that nothing else in the program knows: each file in `functions/` is a route of the file's name.
    struct Functions {
        score: u32,
    }

    impl Dialect for Functions {
        fn name(&self) -> &'static str {
            "functions"
        }

        fn detect(&self, _: &Layout, folders: &[RouteFolder]) -> Vec<Claim> {
            let claims_of = |folder: &RouteFolder| {
                let Some(below) = folder.route.strip_prefix("/functions") else { return Vec::new() };
                let claim = |file: &std::ffi::OsString| {
                    let stem = Path::new(file).file_stem()?.to_str()?;
                    let (route, file) = (format!("{below}/{stem}"), folder.path.join(file));
                    Some(Claim { route, layer: Layer::Server, file, score: self.score, part: Part::Step })
                };
                folder.files.iter().filter_map(claim).collect()
            };
            folders.iter().flat_map(claims_of).collect()
        }

        fn is_private(&self, file: &Path) -> bool {
            file.iter().any(|name| name == "functions")
        }

        fn load(&self, exports: &Exports) -> HandlerOptions {
            HandlerOptions {
                csrf: exports.is_function("onRequest").then_some(false),
                ..HandlerOptions::default()
            }
        }

        fn explain(&self, handler: &HandlerFacts<'_>) -> Explanation {
            let problem = Diagnostic::new(format!("{}: no function", handler.file.display()));
            match handler.exports.is_function("default") {
                true => Explanation { answers: vec!["*".to_owned()], problems: Vec::new() },
                false => Explanation { answers: Vec::new(), problems: vec![problem] },
            }
        }

        fn explain_folder(&self, _: &Layout, _: &Routes, _: &BTreeSet<PathBuf>) -> Vec<Diagnostic> {
            Vec::new()
        }
    }

    fn project(files: &[&str]) -> (TempDir, Layout) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let layout = Layout::find(dir.path(), None).unwrap();
        (dir, layout)
    }

    /// Every handler as `dialect pattern file`.
    fn handlers(routes: &Routes, layout: &Layout) -> Vec<String> {
        let shown = |path: &Path| path.strip_prefix(&layout.root).unwrap().display().to_string();
        let handlers = routes.handlers().iter();
        handlers.map(|it| format!("{} {} {}", it.dialect, it.pattern, shown(&it.path))).collect()
    }

    #[test]
    fn the_same_is_found_unless_a_text_makes_a_handler_something_else() {
        let text = "export default () => 1;\n";
        let files = ["handler.js", "a/handler.server.js", "lib/text.js", "routes/plugin.js", "index.js"];
        let (dir, layout) = project(&files);
        let read = || read(&layout).map(|(routes, _)| routes).unwrap();
        let finds = |file: &str, text: &str| {
            let path = layout.root.join(file);
            fs::write(&path, text).unwrap();
            let same = finds_the_same(&layout, &read(), [&path]);
            fs::write(&path, "").unwrap();
            same
        };
        for file in ["handler.js", "a/handler.server.js", "lib/text.js", "routes/plugin.js"] {
            assert!(finds(file, text), "{file}");
        }
        for (file, text) in [
            ("a/handler.server.js", "// dialect: workers\nexport default {};"),
            ("handler.js", "\"use universal\";\nexport default () => 1;"),
            ("lib/text.js", "// dialect: aiwebengine\nregister('/x', 'y', 'GET');"),
            (
                "routes/plugin.js",
                "export default async function (fastify, opts) { fastify.get('/', () => 1); }",
            ),
            ("index.js", text),
        ] {
            assert!(!finds(file, text), "{file}");
        }
        drop(dir);
    }

    #[test]
    fn another_dialect_shares_the_table_of_routes() {
        let (_dir, layout) = project(&["handler.js", "functions/api/chat.js", "api/handler.js"]);

        let (routes, _) = read_of(&[&webflo::Webflo, &Functions { score: 20 }], &layout).unwrap();

        let expected = [
            "webflo / handler.js",
            "webflo /api api/handler.js",
            "functions /api/chat functions/api/chat.js",
        ];
        assert_eq!(handlers(&routes, &layout), expected);
        let node = routes.node(routes.resolve("/api/chat"));
        let asked = node.steps.iter().map(|step| routes.handlers()[step.handler as usize].dialect);
        assert_eq!(asked.collect::<Vec<_>>(), ["webflo", "webflo", "functions"]);
        assert_eq!(node.steps[2].depth, segments("/api/chat").count() as u32);
    }

    #[test]
    fn the_surer_dialect_has_a_file_that_two_claim() {
        let (_dir, layout) = project(&["functions/handler.js"]);
        let of = |score| {
            let read = read_of(&[&webflo::Webflo, &Functions { score }], &layout);
            read.map(|(routes, _)| handlers(&routes, &layout)).map_err(|errors| errors[0].to_string())
        };

        assert_eq!(of(20).unwrap(), ["webflo /functions functions/handler.js"]);
        assert_eq!(of(90).unwrap(), ["functions /handler functions/handler.js"]);
        let tied = of(50).unwrap_err();
        assert!(tied.contains("handler.js` could be a handler of webflo or of functions"), "{tied}");
    }

    #[test]
    fn a_directive_names_a_dialect_that_there_is() {
        let (_dir, layout) = project(&["handler.js"]);
        fs::write(layout.root.join("handler.js"), "// dialect: fastfiy\n").unwrap();

        let errors = read(&layout).map(|_| ()).unwrap_err();

        let error = errors[0].to_string();
        assert!(error.contains("handler.js` names the dialect `fastfiy` in its first line"), "{error}");
        assert!(error.contains("webflo, workers, fastify, aiwebengine, larc"), "{error}");
    }

    #[test]
    fn a_dialect_says_what_its_handlers_export() {
        let exports: Exports = [
            ("default".to_owned(), Export::Function),
            ("csrf".to_owned(), Export::Boolean(false)),
            ("onRequest".to_owned(), Export::Other),
        ]
        .into_iter()
        .collect();
        let dialects: [&dyn Dialect; 2] = [&webflo::Webflo, &Functions { score: 1 }];

        assert_eq!(dialects.map(|it| it.load(&exports).csrf), [Some(false), None]);
        let file = Path::new("/functions/a.js");
        let handler = HandlerFacts { file, exports: &exports, facts: None, loads: true };
        assert_eq!(dialects.map(|it| it.explain(&handler).answers), [["*"], ["*"]]);
        assert_eq!(dialects.map(|it| it.is_private(file)), [false, true]);
    }

    #[test]
    fn names_of_dialects_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|dialect| dialect.name()).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(named("webflo").name(), "webflo");
    }
}
