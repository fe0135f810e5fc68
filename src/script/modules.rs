//! Resolves module specifiers.

use std::path::{Path, PathBuf};

use deno_core::ModuleSpecifier;
use oxc_resolver::{ResolveOptions, Resolver};

use super::border::{Border, Outside};
use liveline_compiler::Diagnostic;

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
}

/// Resolves specifiers: files, the host's own packages, and ESM packages in `node_modules`.
pub(crate) struct Modules {
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
            extensions: names(&[".js", ".mjs", ".cjs", ".json"]),
            builtin_modules: false,
            ..ResolveOptions::default()
        });
        let written =
            packages.clone_with_options(ResolveOptions { symlinks: false, ..packages.options().clone() });
        let runs_on_server = !conditions.contains(&"browser");
        Modules { packages, written, border: Border::around(project), runs_on_server }
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
            && let Some(name) = super::node::builtin(specifier)
        {
            if let Some(instead) = super::node::absent(name) {
                return Err(unresolved(instead.to_owned()));
            }
            return ModuleSpecifier::parse(&format!("node:{name}"))
                .map_err(|error| unresolved(error.to_string()));
        }
        if is_bare(specifier) {
            let folder = folder_of(referrer);
            let found = self.packages.resolve(&folder, specifier).map_err(|error| match error {
                oxc_resolver::ResolveError::NotFound(_) => unresolved(
                    "no such package in node_modules; the host provides @webqit/webflo, \
                                @webqit/fetch-plus and @webqit/observer"
                        .to_owned(),
                ),
                other => unresolved(other.to_string()),
            })?;
            let path = found.full_path();
            let written = || self.written.resolve(&folder, specifier).ok().map(|found| found.full_path());
            self.border.admit(specifier, &folder, &path, written);
            self.border.check(&path).map_err(outside)?;
            return ModuleSpecifier::from_file_path(&path)
                .map_err(|()| unresolved(format!("{} is not a file", path.display())));
        }
        let url =
            deno_core::resolve_import(specifier, referrer).map_err(|error| unresolved(error.to_string()))?;
        match url.scheme() {
            "file" => {
                // A file: URL that is no path is not checked: reading it fails later.
                url.to_file_path().map_or(Ok(()), |file| self.border.check(&file)).map_err(outside)?;
                Ok(url)
            }
            "data" => Ok(url),
            "liveline" => Ok(url),
            _ => Err(ResolveError::Remote { specifier: specifier.to_owned(), from }),
        }
    }
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
    let relative = ["/", "./", "../"].iter().any(|prefix| specifier.starts_with(prefix));
    !relative && (specifier.starts_with('@') || ModuleSpecifier::parse(specifier).is_err())
}

fn folder_of(referrer: &str) -> PathBuf {
    let path = ModuleSpecifier::parse(referrer).ok().and_then(|url| url.to_file_path().ok());
    path.and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_else(|| PathBuf::from("/"))
}

/// A referrer for messages: its path, if it is a file.
fn shown(referrer: &str) -> String {
    let path = ModuleSpecifier::parse(referrer).ok().and_then(|url| url.to_file_path().ok());
    path.map_or_else(|| referrer.to_owned(), |path| path.display().to_string())
}
