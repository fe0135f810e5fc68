//! Resolves module specifiers.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_core::ModuleSpecifier;
use deno_error::JsErrorBox;
use oxc_resolver::{Resolution, ResolveOptions, Resolver};

use super::border::{Border, Outside};
use super::configs::Configs;
use super::declared::Declarations;
use super::provided::Provided;
use crate::dialect::{FileKind, Settings, nearest, scope_source};
use crate::ext::packages;
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js::Declared;
use liveline_compiler::transpile::Options;

/// Packages that the host itself provides, with the source of each as a module.
const OWN: [(&str, &str); 8] = [
    ("@webqit/webflo", "export const { LiveResponse } = globalThis;"),
    ("@webqit/fetch-plus", FETCH_PLUS),
    ("@webqit/observer", OBSERVER),
    ("cloudflare:workers", WORKERS),
    (
        "cloudflare:email",
        "export const { EmailMessage } = globalThis[Symbol.for(\"liveline:workers-email\")];",
    ),
    (
        "cloudflare:sockets",
        "export const { connect } = globalThis[Symbol.for(\"liveline:workers-sockets\")];",
    ),
    (
        "cloudflare:workflows",
        "export const { NonRetryableError } = globalThis[Symbol.for(\"liveline:workers-workflows\")];",
    ),
    // Called by compiled live functions; see `live`.
    ("live", "export default globalThis[Symbol.for(\"liveline.live\")];"),
];

/// Modules that are imported only by the host's own scheme: `liveline:sql`.
const HOST: [(&str, &str); 8] = [
    // What sets `import.meta.env`; see `liveline_compiler::environment`.
    ("env", "export default globalThis[Symbol.for(\"liveline:env\")];"),
    (
        "actors",
        "export const { Actor, actors, RpcTarget, WebSocketRequestResponsePair } = \
         globalThis[Symbol.for(\"liveline:actors\")];",
    ),
    (
        "sql",
        "export const { client, Client, openDatabase, SqlError } = globalThis[Symbol.for(\"liveline:sql\")];",
    ),
    ("shared", "export const { shared } = globalThis[Symbol.for(\"liveline:shared\")];"),
    ("topics", "export const { topic, topics } = globalThis[Symbol.for(\"liveline:topics\")];"),
    ("upload", "export const { progressOf, track } = globalThis[Symbol.for(\"liveline:upload\")];"),
    // What `node:module` is for everybody else.
    (NODE_MODULE, NODE_MODULE_SOURCE),
    ("password", "export const { hash, verify } = globalThis[Symbol.for(\"liveline:password\")];"),
];

/// The specifiers of modules in [`HOST`] that error messages suggest.
const HOST_NAMES: [&str; 1] = ["liveline:sql"];
const FETCH_PLUS: &str = "export const { LiveResponse, Observer } = globalThis;
export const { FormDataPlus, HeadersPlus, RequestPlus, ResponsePlus, fetchPlus } =
  globalThis[Symbol.for(\"liveline:fetch-plus\")]();";

/// `node:module` with what the host adds; see `runtime-js/node/module_hooks.js`.
const NODE_MODULE: &str = "node-module";
const NODE_MODULE_SOURCE: &str = "import Module from \"node:module\";
export * from \"node:module\";
export { Module as default };
export const {
  constants, enableCompileCache, flushCompileCache, getCompileCacheDir, getSourceMapsSupport, registerHooks,
  setSourceMapsSupport,
} = globalThis[Symbol.for(\"liveline:node-module\")](Module);";

const WORKERS: &str = "export const {
  DurableObject, WorkerEntrypoint, WorkflowEntrypoint, RpcTarget, RpcStub, RpcPromise, RpcProperty, ServiceStub,
  waitUntil, env, exports, withEnv, withExports, withEnvAndExports, tracing,
} =
  globalThis[Symbol.for(\"liveline:workers\")];";

const OBSERVER: &str = "const { Observer } = globalThis;
export { Observer, Observer as default };
export const {
  accessorize, any, apply, batch, construct, defineProperties, defineProperty, deleteProperties, deleteProperty, get,
  getOwnPropertyDescriptor, getOwnPropertyDescriptors, getPrototypeOf, has, intercept, isExtensible, map, observe,
  ownKeys, path, preventExtensions, proxy, reduce, set, setPrototypeOf, subtree, unaccessorize, unproxy,
} = Observer;";

/// What an import without an extension may mean, in this order. A folder means its file `index` with one of them.
const EXTENSIONS: [&str; 9] = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];
/// The same for files of packages, most of which hold the JavaScript of their TypeScript.
const PACKAGE_EXTENSIONS: [&str; 9] = [".js", ".mjs", ".cjs", ".json", ".jsx", ".ts", ".tsx", ".mts", ".cts"];
/// The files that an import of a file of JavaScript means: itself, else what TypeScript compiles to it.
const ALIASES: [(&str, &[&str]); 4] = [
    (".js", &[".js", ".ts", ".tsx"]),
    (".jsx", &[".jsx", ".tsx"]),
    (".mjs", &[".mjs", ".mts"]),
    (".cjs", &[".cjs", ".cts"]),
];

/// The scheme of the host's own modules.
pub(super) const OWN_SCHEME: &str = "liveline:";

/// Why a specifier cannot be resolved. The message names the importing file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("cannot import \"{specifier}\" from {from}: {reason}")]
    Unresolved { specifier: String, from: String, reason: String, help: Option<String> },
    #[error("cannot import \"{specifier}\" from {from}: {outside}")]
    Outside { specifier: String, from: String, outside: Outside },
    #[error("cannot import \"{specifier}\" from {from}: modules are files; fetch or install it first")]
    Remote { specifier: String, from: String },
    #[error("cannot import \"{specifier}\" from {from}: {missing}")]
    Missing { specifier: String, from: String, missing: Missing },
    #[error("{}", .0.message)]
    Config(Box<Diagnostic>),
}

/// Why a path leads to no module.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Missing {
    #[error("there is no such file")]
    File(PathBuf),
    #[error("it is a folder without an index file")]
    Index,
    #[error("it declares types only, and nothing in it runs; write `import type`")]
    Declarations,
    #[error("{} maps it to {}, where no file is", .config.display(), .file.display())]
    Mapped { config: PathBuf, file: PathBuf },
}

impl ResolveError {
    /// What to do about it, if that is known.
    pub(crate) fn help(&self) -> Option<&str> {
        match self {
            ResolveError::Unresolved { help, .. } => help.as_deref(),
            _ => None,
        }
    }

    /// The error at an import of a file.
    pub(crate) fn at(&self, file: &Path, specifier: &str) -> Diagnostic {
        match self {
            ResolveError::Config(diagnostic) => (**diagnostic).clone(),
            error => Diagnostic::at_import(format!("TypeError: {error}"), file, specifier)
                .with_help(error.help().map(str::to_owned)),
        }
    }

    /// The error for JavaScript, which has one message.
    pub(super) fn into_js_error(self) -> JsErrorBox {
        let help = self.help().map(|help| format!("; {help}")).unwrap_or_default();
        JsErrorBox::type_error(format!("{self}{help}"))
    }
}

/// Under which conditions CommonJS modules of Workers take what packages provide, as wrangler's bundler does.
pub(super) const REQUIRED_BY_WORKERS: [&str; 5] = ["workerd", "worker", "browser", "require", "default"];

/// Resolvers of packages with the same conditions.
struct Packages {
    /// Follows links.
    real: Resolver,
    /// Does not follow links.
    written: Resolver,
}

impl Packages {
    fn new(real: Resolver) -> Packages {
        let written = real.clone_with_options(ResolveOptions { symlinks: false, ..real.options().clone() });
        Packages { real, written }
    }

    /// The file that a specifier means in a folder. A module that a package replaces by nothing, as browsers have none, is
    /// there.
    fn resolve(&self, folder: &Path, specifier: &str) -> Result<Resolution, oxc_resolver::ResolveError> {
        match self.real.resolve(folder, specifier) {
            Err(oxc_resolver::ResolveError::Ignored(_)) => {
                let options = ResolveOptions { alias_fields: Vec::new(), ..self.real.options().clone() };
                self.real.clone_with_options(options).resolve(folder, specifier)
            }
            resolved => resolved,
        }
    }
}

/// Resolves specifiers: files, the host's own packages, Node's modules, and packages in `node_modules`.
pub(crate) struct Modules {
    /// Completes paths of the project's own files, without following links.
    files: Resolver,
    configs: Configs,
    /// The installed package that makes JSX elements, for each folder.
    jsx: RefCell<HashMap<PathBuf, Option<&'static str>>>,
    /// Resolves packages to what they provide for Node, or for browsers.
    packages: Packages,
    /// Resolves packages to what they provide for Workers.
    for_workers: OnceCell<Packages>,
    /// Resolves what CommonJS modules require.
    required: Resolver,
    /// The same for Workers.
    required_for_workers: OnceCell<Resolver>,
    declarations: Declarations,
    border: Border,
    /// Packages that the host provides.
    provided: Provided,
    /// Whether Node's modules can be there.
    runs_on_server: bool,
    /// What the project's configuration decides.
    settings: RefCell<Arc<Settings>>,
}

impl Modules {
    /// For the handlers of a project, with the path of its folder.
    pub(crate) fn of(project: &Path) -> Modules {
        Modules::with_conditions(project, &["node", "import", "module-sync", "default"])
    }

    /// Resolves packages to the files that they provide for browsers.
    pub(crate) fn for_browsers(project: &Path) -> Modules {
        Modules::with_conditions(project, &["browser", "import", "default"])
    }

    /// The resolvers of packages for the code of the project.
    fn packages(&self) -> &Packages {
        if !self.settings.borrow().is_for_workers {
            return &self.packages;
        }
        // As wrangler's bundler resolves them.
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        self.for_workers.get_or_init(|| {
            Packages::new(self.packages.real.clone_with_options(ResolveOptions {
                condition_names: names(&["workerd", "worker", "browser", "import", "default"]),
                main_fields: names(&["browser", "module", "main"]),
                alias_fields: vec![names(&["browser"])],
                ..self.packages.real.options().clone()
            }))
        })
    }

    fn with_conditions(project: &Path, conditions: &[&str]) -> Modules {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let packages = Resolver::new(ResolveOptions {
            condition_names: names(conditions),
            main_fields: names(if conditions.contains(&"browser") {
                &["module", "main"]
            } else {
                &["main", "module"]
            }),
            extensions: names(&PACKAGE_EXTENSIONS),
            extension_alias: ALIASES.map(|(extension, means)| (extension.to_owned(), names(means))).into(),
            builtin_modules: false,
            ..ResolveOptions::default()
        });
        let packages = Packages::new(packages);
        let files = packages.written.clone_with_options(ResolveOptions {
            main_fields: names(&["module", "main"]),
            extensions: names(&EXTENSIONS),
            ..packages.written.options().clone()
        });
        let required = packages.real.clone_with_options(ResolveOptions {
            condition_names: names(&["node", "require", "module-sync", "default"]),
            main_fields: names(&["main"]),
            extensions: names(&[".js", ".json", ".cjs", ".node"]),
            ..packages.real.options().clone()
        });
        let runs_on_server = !conditions.contains(&"browser");
        let (configs, jsx, declarations) =
            (Configs::of(project), RefCell::default(), Declarations::default());
        let border = Border::around(project);
        let settings = RefCell::default();
        let provided = if runs_on_server { Provided::of(project) } else { Provided::nowhere() };
        Modules {
            files,
            configs,
            jsx,
            packages,
            for_workers: OnceCell::new(),
            required,
            required_for_workers: OnceCell::new(),
            declarations,
            border,
            provided,
            runs_on_server,
            settings,
        }
    }

    /// Forgets which files there are: they may have changed.
    pub(super) fn look_again(&self) {
        // The other resolvers share its cache.
        self.packages.real.clear_cache();
    }

    /// Every `package.json` that states the kind of files, or would if it were there.
    pub(super) fn manifests(&self) -> Vec<PathBuf> {
        self.declarations.manifests()
    }

    /// From now on follows what the project's configuration decides.
    pub(super) fn adopt(&self, settings: Arc<Settings>) {
        *self.settings.borrow_mut() = settings;
    }

    /// What the default export of a file without code is; `None` for other files.
    pub(super) fn kind_of(&self, file: &Path) -> Option<FileKind> {
        self.settings.borrow().kind_of(file)
    }

    /// The settings of the project.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    /// Whether JSX is compiled in a plain file of JavaScript: one of the project's own.
    pub(super) fn has_jsx(&self, file: &Path) -> bool {
        self.settings.borrow().has_jsx && !packages::holds(file)
    }

    /// How a file is compiled.
    pub(crate) fn options_of(&self, file: &Path) -> Result<Options, Diagnostic> {
        self.configs.options_of(file, self.has_jsx(file), || self.package_for_jsx(file))
    }

    /// Every file whose change, or whose making, may change how modules are resolved and compiled.
    pub(crate) fn configs(&self) -> BTreeSet<PathBuf> {
        self.configs.files()
    }

    /// The installed package that makes JSX elements for a file: the first one of the list.
    fn package_for_jsx(&self, file: &Path) -> Option<&'static str> {
        let known = ["react", "preact", if self.runs_on_server { "hono/jsx" } else { "hono/jsx/dom" }];
        let folder = file.parent()?;
        let find = || {
            let is_installed = |name: &&str| self.bare(file, folder, &format!("{name}/jsx-runtime")).is_ok();
            known.into_iter().find(is_installed)
        };
        *self.jsx.borrow_mut().entry(folder.to_owned()).or_insert_with(find)
    }

    /// Fails if a handler's file is outside of the project, because a link led to it.
    pub(crate) fn check_handler(&self, handler: &Path) -> Result<(), Diagnostic> {
        let refusal = |outside| Diagnostic::new(format!("a link in the routes folder is refused: {outside}"));
        self.border.check(handler).map_err(refusal)
    }

    /// Fails if a file that a CommonJS module requires is neither in the project nor in a package.
    #[cfg(feature = "node")]
    pub(super) fn check_required(&self, file: &Path) -> Result<(), Outside> {
        self.border.check_required(file)
    }

    /// Admits the folders in which a CommonJS module in `folder` looks for packages.
    #[cfg(feature = "node")]
    pub(super) fn admit_lookups(&self, folder: &Path, lookups: impl Iterator<Item = PathBuf>) {
        self.border.admit_lookups(folder, lookups);
    }

    /// What the package of a file states about the kind of the file.
    pub(super) fn declared(&self, file: &Path) -> Declared {
        self.declarations.of(file)
    }

    /// The file that a CommonJS module requires by this specifier, if it is found.
    pub(super) fn required(&self, specifier: &str, importer: &Path) -> Option<PathBuf> {
        let resolver = match self.settings.borrow().is_for_workers {
            false => &self.required,
            true => self.required_for_workers.get_or_init(|| {
                self.required.clone_with_options(ResolveOptions {
                    condition_names: REQUIRED_BY_WORKERS.iter().map(|name| (*name).to_owned()).collect(),
                    ..self.required.options().clone()
                })
            }),
        };
        resolver.resolve(importer.parent()?, specifier).ok().map(|found| found.full_path())
    }

    /// The URL of `specifier` in the module `referrer`.
    pub(crate) fn resolve(&self, specifier: &str, referrer: &str) -> Result<ModuleSpecifier, ResolveError> {
        let settings = self.settings();
        let specifier = settings.aliases.get(specifier).map_or(specifier, String::as_str);
        if let Some((name, _)) = OWN.iter().find(|(name, _)| *name == specifier) {
            let url = format!("{OWN_SCHEME}{name}");
            return Ok(ModuleSpecifier::parse(&url).expect("own names are valid URLs"));
        }
        if self.provided.has(specifier) {
            let url = format!("{OWN_SCHEME}{specifier}");
            return Ok(ModuleSpecifier::parse(&url).expect("names of packages are valid in URLs"));
        }
        let from = shown(referrer);
        let failed = |reason: String, help: Option<String>| ResolveError::Unresolved {
            specifier: specifier.to_owned(),
            from: from.clone(),
            reason,
            help,
        };
        let unresolved = |reason: String| failed(reason, None);
        let outside =
            |outside| ResolveError::Outside { specifier: specifier.to_owned(), from: from.clone(), outside };
        let file = file_of(referrer);
        // `util/a` is no module of Node, and may be a file that settings name.
        let of_node = self.of_node(specifier);
        if let Some(name) = of_node.filter(|name| name.is_ok() || self.mapped(&file, specifier).is_none()) {
            return name
                .and_then(|name| {
                    let is_wrapped = name == "module" && own_name(referrer) != Some(NODE_MODULE);
                    let url = match is_wrapped {
                        true => ModuleSpecifier::parse(&format!("{OWN_SCHEME}{NODE_MODULE}")),
                        false => ModuleSpecifier::parse(&format!("node:{name}")),
                    };
                    url.map_err(|error| (error.to_string(), None))
                })
                .map_err(|(reason, help)| failed(reason, help));
        }
        if is_bare(specifier) {
            let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
            let path = self.bare(&file, &folder, specifier).map_err(|error| match error {
                Bare::Config(diagnostic) => ResolveError::Config(diagnostic),
                Bare::Missing(missing) => {
                    ResolveError::Missing { specifier: specifier.to_owned(), from: from.clone(), missing }
                }
                Bare::Unresolved(error) => {
                    use oxc_resolver::ResolveError::{NotFound, PackagePathNotExported};
                    let missing = match &error {
                        NotFound(_) | PackagePathNotExported { .. } => packages::missing(specifier, &file),
                        _ => None,
                    };
                    let (reason, help) = missing.unwrap_or_else(|| (error.to_string(), None));
                    // `fs/promise` is no package.
                    let near =
                        specifier.contains('/').then(|| nearest(specifier, packages::OF_NODE)).flatten();
                    failed(reason, near.map(|near| format!("did you mean \"node:{near}\"?")).or(help))
                }
            })?;
            let written =
                || self.packages().written.resolve(&folder, specifier).ok().map(|found| found.full_path());
            self.border.admit(specifier, &folder, &path, written);
            self.border.check(&path).map_err(outside)?;
            return ModuleSpecifier::from_file_path(&path)
                .map_err(|()| unresolved(format!("{} is not a file", path.display())));
        }
        // A folder is named with a slash.
        let specifier = match specifier {
            "." => "./",
            ".." => "../",
            specifier => specifier,
        };
        let url =
            deno_core::resolve_import(specifier, referrer).map_err(|error| unresolved(error.to_string()))?;
        match url.scheme() {
            "file" => {
                // A file: URL that is no path is not checked: reading it fails later.
                let Ok(path) = url.to_file_path() else { return Ok(url) };
                let found = self.replaced(&file, specifier).map_or_else(|| self.completed(&path), Ok);
                self.border.check(found.as_ref().unwrap_or(&path)).map_err(outside)?;
                let missing = |missing| {
                    Err(ResolveError::Missing {
                        specifier: specifier.to_owned(),
                        from: from.clone(),
                        missing,
                    })
                };
                match found {
                    Ok(file) if file == path => Ok(url),
                    Ok(file) => Ok(with_path(url, &file)),
                    Err(reason) => missing(reason),
                }
            }
            "data" => Ok(url),
            "liveline" => Ok(url),
            _ => Err(ResolveError::Remote { specifier: specifier.to_owned(), from }),
        }
    }
}

impl Modules {
    /// The name of the module of Node that a specifier names, or why there is none; None for other specifiers.
    #[allow(clippy::type_complexity, reason = "a reason and a help are what errors consist of")]
    pub(super) fn of_node<'s>(
        &self,
        specifier: &'s str,
    ) -> Option<Result<&'s str, (String, Option<String>)>> {
        /// Modules that only the prefix names: packages have the same names.
        const PREFIXED: [&str; 4] = ["sea", "sqlite", "test", "test/reporters"];
        let (name, is_prefixed) = match specifier.strip_prefix("node:") {
            Some(name) => (name, true),
            None => (specifier, false),
        };
        let is_known = is_of_node(name) && (is_prefixed || !PREFIXED.contains(&name));
        if !is_known && !is_prefixed {
            return None;
        }
        if !self.runs_on_server {
            return is_prefixed.then(|| Err(("browsers have no modules of Node".to_owned(), None)));
        }
        if !is_known {
            let near = nearest(name, packages::OF_NODE);
            let help = near.map(|name| format!("did you mean \"node:{name}\"?"));
            return Some(Err(("Node has no such module".to_owned(), help)));
        }
        #[cfg(not(feature = "node"))]
        return Some(Err((
            format!(
                "it is one of Node's modules, which this build does not have; {}",
                super::loader::NEEDS_V8
            ),
            None,
        )));
        #[cfg(feature = "node")]
        Some(super::node::absent(name).map_or(Ok(name), |why| Err((why.to_owned(), None))))
    }
}

fn is_of_node(name: &str) -> bool {
    #[cfg(feature = "node")]
    return super::node::is_builtin(name);
    #[cfg(not(feature = "node"))]
    return packages::OF_NODE.contains(&name);
}

/// Why an import of a package, or of a name in settings, is not resolved.
enum Bare {
    Config(Box<Diagnostic>),
    Missing(Missing),
    Unresolved(oxc_resolver::ResolveError),
}

impl Modules {
    /// The file that the settings of a file name by a specifier.
    fn mapped(&self, file: &Path, specifier: &str) -> Option<PathBuf> {
        let set = self.configs.config_of(file).ok()??;
        let paths = set.resolve_path_alias_or_base_url(specifier);
        let found = paths.iter().find_map(|path| self.completed(path).ok())?;
        Some(if packages::holds(&found) { found.canonicalize().unwrap_or(found) } else { found })
    }

    /// The file that a package has for Workers in place of another one of its own (the field `browser` of its
    /// `package.json`).
    fn replaced(&self, file: &Path, specifier: &str) -> Option<PathBuf> {
        if !self.settings.borrow().is_for_workers || !packages::holds(file) {
            return None;
        }
        self.packages().resolve(file.parent()?, specifier).ok().map(|found| found.full_path())
    }

    /// The file that a specifier without a path means in a file: that of its settings, else a package's.
    fn bare(&self, file: &Path, folder: &Path, specifier: &str) -> Result<PathBuf, Bare> {
        if let Some(mapped) = self.mapped(file, specifier) {
            return Ok(mapped);
        }
        let error = match self.packages().resolve(folder, specifier) {
            Ok(found) => return Ok(found.full_path()),
            Err(oxc_resolver::ResolveError::Json(error)) => {
                let reason = format!("this file cannot be read: {}", error.message);
                let diagnostic = Diagnostic::at(reason, &error.path, error.line, error.column);
                return Err(Bare::Config(Box::new(diagnostic)));
            }
            Err(error) => error,
        };
        let config = self.configs.config_of(file);
        let set = config.as_ref().ok().and_then(Option::as_ref);
        let mapped = set.map(|set| set.resolve_path_alias_or_base_url(specifier)).unwrap_or_default();
        // `baseUrl` maps every name, `paths` those that it lists.
        let is_listed = |path: &PathBuf| {
            let base = set.and_then(|set| set.compiler_options.base_url.as_ref());
            base.is_none_or(|base| *path != base.join(specifier))
        };
        Err(match (&config, mapped.into_iter().find(is_listed)) {
            // Settings that cannot be read may have been the ones that name it.
            (Err(diagnostic), _) => Bare::Config(Box::new(diagnostic.clone())),
            (Ok(Some(set)), Some(file)) => {
                Bare::Missing(Missing::Mapped { config: set.path().to_owned(), file })
            }
            _ => Bare::Unresolved(error),
        })
    }

    /// The file that a path means, which may lack its extension, be that of a folder, or have the extension that its
    /// file has after TypeScript has compiled it.
    fn completed(&self, path: &Path) -> Result<PathBuf, Missing> {
        let found = if path.is_file() {
            path.to_owned()
        } else {
            let resolver = if packages::holds(path) { &self.packages.written } else { &self.files };
            let text = path.to_string_lossy();
            resolver
                .resolve(Path::new("/"), &text)
                .map(|found| found.into_path_buf())
                .map_err(|_| if path.is_dir() { Missing::Index } else { Missing::File(path.to_owned()) })?
        };
        if is_declaration(&found) { Err(Missing::Declarations) } else { Ok(found) }
    }
}

/// Whether a file of TypeScript holds declarations only.
fn is_declaration(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    [".d.ts", ".d.mts", ".d.cts"].iter().any(|extension| name.ends_with(extension))
}

/// A URL of a file with the path of another, and the query that it has.
fn with_path(mut url: ModuleSpecifier, file: &Path) -> ModuleSpecifier {
    if let Ok(found) = ModuleSpecifier::from_file_path(file) {
        url.set_path(found.path());
    }
    url
}

/// The name and the source of one of the host's own modules.
pub(crate) fn own_source(url: &ModuleSpecifier) -> Option<(&'static str, &'static str)> {
    let name = own_name(url.as_str())?;
    OWN.iter().chain(&HOST).find(|(own, _)| *own == name).copied()
}

/// The name of one of the host's own modules.
fn own_name(url: &str) -> Option<&str> {
    url.strip_prefix(OWN_SCHEME)
}

/// The source of a module that the host makes: the names that a script finds without an import.
pub(crate) fn made_source(url: &ModuleSpecifier) -> Option<String> {
    scope_source(url)
}

/// The source of a package of Fastify that the host provides.
pub(crate) fn provided_source(url: &ModuleSpecifier) -> Option<String> {
    Provided::source(url.as_str().strip_prefix(OWN_SCHEME)?)
}

/// The names by which the host's own modules are imported.
pub(crate) fn own_names() -> impl Iterator<Item = &'static str> {
    let packages = OWN.iter().map(|(name, _)| *name).filter(|name| name.starts_with('@'));
    packages.chain(HOST_NAMES)
}

fn is_bare(specifier: &str) -> bool {
    let relative = matches!(specifier, "." | "..")
        || ["/", "./", "../"].iter().any(|prefix| specifier.starts_with(prefix));
    !relative && (specifier.starts_with('@') || ModuleSpecifier::parse(specifier).is_err())
}

fn file_of(referrer: &str) -> PathBuf {
    let path = ModuleSpecifier::parse(referrer).ok().and_then(|url| url.to_file_path().ok());
    path.unwrap_or_else(|| PathBuf::from("/"))
}

/// A referrer for messages: its path, if it is a file.
fn shown(referrer: &str) -> String {
    let path = ModuleSpecifier::parse(referrer).ok().and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| referrer.to_owned(), |path| path.display().to_string())
}
