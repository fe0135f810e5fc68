//! Resolves module specifiers.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use deno_core::ModuleSpecifier;
use oxc_resolver::{ResolveOptions, Resolver};

use super::border::{Border, Outside, is_in_package};
use super::configs::Configs;
use liveline_compiler::Diagnostic;
use liveline_compiler::transpile::Options;

/// Packages that the host itself provides, with the source of each as a module.
const OWN: [(&str, &str); 4] = [
    ("@webqit/webflo", "export const { LiveResponse } = globalThis;"),
    ("@webqit/fetch-plus", FETCH_PLUS),
    ("@webqit/observer", OBSERVER),
    // Called by compiled live functions; see `live`.
    ("live", "export default globalThis[Symbol.for(\"liveline.live\")];"),
];

/// Modules that are imported only by the host's own scheme: `liveline:sql`.
const HOST: [(&str, &str); 4] = [
    (
        "sql",
        "export const { client, Client, openDatabase, SqlError } = globalThis[Symbol.for(\"liveline:sql\")];",
    ),
    ("shared", "export const { shared } = globalThis[Symbol.for(\"liveline:shared\")];"),
    ("upload", "export const { progressOf, track } = globalThis[Symbol.for(\"liveline:upload\")];"),
    ("password", "export const { hash, verify } = globalThis[Symbol.for(\"liveline:password\")];"),
];

/// The specifiers of modules in [`HOST`] that error messages suggest.
const HOST_NAMES: [&str; 1] = ["liveline:sql"];
const FETCH_PLUS: &str = "export const { LiveResponse, Observer } = globalThis;
export const { FormDataPlus, HeadersPlus, RequestPlus, ResponsePlus, fetchPlus } =
  globalThis[Symbol.for(\"liveline:fetch-plus\")]();";

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
const OWN_SCHEME: &str = "liveline:";

/// Why a specifier cannot be resolved. The message names the importing file.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
#[class(type)]
pub(crate) enum ResolveError {
    #[error("cannot import \"{specifier}\" from {from}: {reason}")]
    Unresolved { specifier: String, from: String, reason: String },
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
    /// The error at an import of a file.
    pub(crate) fn at(&self, file: &Path, specifier: &str) -> Diagnostic {
        match self {
            ResolveError::Config(diagnostic) => (**diagnostic).clone(),
            error => Diagnostic::at_import(format!("TypeError: {error}"), file, specifier),
        }
    }
}

/// Resolves specifiers: files, the host's own packages, and packages in `node_modules`.
pub(crate) struct Modules {
    /// Completes paths of the project's own files, without following links.
    files: Resolver,
    configs: Configs,
    /// The installed package that makes JSX elements, for each folder.
    jsx: RefCell<HashMap<PathBuf, Option<&'static str>>>,
    packages: Resolver,
    /// Resolves like `packages`, without following links in packages.
    written: Resolver,
    border: Border,
    /// Whether `node:` modules are there.
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "no build without V8 has them"))]
    runs_on_server: bool,
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
        let written =
            packages.clone_with_options(ResolveOptions { symlinks: false, ..packages.options().clone() });
        let files = written.clone_with_options(ResolveOptions {
            main_fields: names(&["module", "main"]),
            extensions: names(&EXTENSIONS),
            ..written.options().clone()
        });
        let (configs, jsx, border) = (Configs::of(project), RefCell::default(), Border::around(project));
        let runs_on_server = !conditions.contains(&"browser");
        Modules { files, configs, jsx, packages, written, border, runs_on_server }
    }

    /// How a file is compiled.
    pub(crate) fn options_of(&self, file: &Path) -> Result<Options, Diagnostic> {
        self.configs.options_of(file, || self.package_for_jsx(file))
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

    /// Fails if a file is neither in the project nor in one of its packages.
    #[cfg(feature = "node")]
    pub(super) fn check_file(&self, file: &Path) -> Result<(), Outside> {
        self.border.check(file)
    }

    /// The URL of `specifier` in the module `referrer`.
    pub(crate) fn resolve(&self, specifier: &str, referrer: &str) -> Result<ModuleSpecifier, ResolveError> {
        if let Some((name, _)) = OWN.iter().find(|(name, _)| *name == specifier) {
            let url = format!("{OWN_SCHEME}{name}");
            return Ok(ModuleSpecifier::parse(&url).expect("own names are valid URLs"));
        }
        let from = shown(referrer);
        let unresolved = |reason: String| ResolveError::Unresolved {
            specifier: specifier.to_owned(),
            from: from.clone(),
            reason,
        };
        let outside =
            |outside| ResolveError::Outside { specifier: specifier.to_owned(), from: from.clone(), outside };
        #[cfg(feature = "node")]
        if self.runs_on_server
            && super::node::is_builtin(specifier.strip_prefix("node:").unwrap_or(specifier))
        {
            let name = specifier.strip_prefix("node:").unwrap_or(specifier);
            return ModuleSpecifier::parse(&format!("node:{name}"))
                .map_err(|error| unresolved(error.to_string()));
        }
        if is_bare(specifier) {
            let folder = folder_of(referrer);
            let path = self.bare(&file_of(referrer), &folder, specifier).map_err(|error| match error {
                Bare::Config(diagnostic) => ResolveError::Config(diagnostic),
                Bare::Missing(missing) => {
                    ResolveError::Missing { specifier: specifier.to_owned(), from: from.clone(), missing }
                }
                Bare::Unresolved(oxc_resolver::ResolveError::NotFound(_)) => unresolved(
                    "no such package in node_modules; the host provides @webqit/webflo, \
                                @webqit/fetch-plus and @webqit/observer"
                        .to_owned(),
                ),
                Bare::Unresolved(other) => unresolved(other.to_string()),
            })?;
            let written = || self.written.resolve(&folder, specifier).ok().map(|found| found.full_path());
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
                let found = self.completed(&path);
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

/// Why an import of a package, or of a name in settings, is not resolved.
enum Bare {
    Config(Box<Diagnostic>),
    Missing(Missing),
    Unresolved(oxc_resolver::ResolveError),
}

impl Modules {
    /// The file that a specifier without a path means in a file: that of the settings of TypeScript, else a package's.
    fn bare(&self, file: &Path, folder: &Path, specifier: &str) -> Result<PathBuf, Bare> {
        let config = self.configs.config_of(file);
        let set = config.as_ref().ok().and_then(Option::as_ref);
        let mapped = set.map(|set| set.resolve_path_alias_or_base_url(specifier)).unwrap_or_default();
        if let Some(file) = mapped.iter().find_map(|path| self.completed(path).ok()) {
            return Ok(if is_in_package(&file) { file.canonicalize().unwrap_or(file) } else { file });
        }
        let error = match self.packages.resolve(folder, specifier) {
            Ok(found) => return Ok(found.full_path()),
            Err(error) => error,
        };
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
            let resolver = if is_in_package(path) { &self.written } else { &self.files };
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
    let name = url.as_str().strip_prefix(OWN_SCHEME)?;
    OWN.iter().chain(&HOST).find(|(own, _)| *own == name).copied()
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

fn folder_of(referrer: &str) -> PathBuf {
    let mut folder = file_of(referrer);
    folder.pop();
    folder
}

/// A referrer for messages: its path, if it is a file.
fn shown(referrer: &str) -> String {
    let path = ModuleSpecifier::parse(referrer).ok().and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| referrer.to_owned(), |path| path.display().to_string())
}
