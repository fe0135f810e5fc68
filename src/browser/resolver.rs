//! Resolves the imports of modules for browsers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deno_core::ModuleSpecifier;

use crate::script::modules::{Modules, own_source};
use liveline_compiler::Diagnostic;
use liveline_compiler::transpile::Options;

/// The module that a specifier names.
pub(super) enum Target {
    File(PathBuf),
    /// A module of the host: its name and its source.
    Own(&'static str, &'static str),
    /// A URL, which browsers load as it is written.
    Url,
}

/// Resolves as V8's module loader does, but packages under the condition `browser`.
pub(super) struct Resolver {
    modules: Modules,
}

impl Resolver {
    /// For the project in this folder.
    pub(super) fn of(project: &Path) -> Resolver {
        Resolver { modules: Modules::for_browsers(project) }
    }

    /// Fails if a handler's file is outside of the project.
    pub(super) fn check(&self, handler: &Path) -> Result<(), Diagnostic> {
        self.modules.check_handler(handler)
    }

    /// How a file is compiled.
    pub(super) fn options_of(&self, file: &Path) -> Result<Options, Diagnostic> {
        self.modules.options_of(file)
    }

    /// Every file whose change, or whose making, may change how modules are resolved and compiled.
    pub(super) fn configs(&self) -> BTreeSet<PathBuf> {
        self.modules.configs()
    }

    pub(super) fn resolve(&self, specifier: &str, from: &Path) -> Result<Target, Diagnostic> {
        let place = |message: String| Diagnostic::at_import(message, from, specifier);
        let web = ["http:", "https:", "data:", "blob:"];
        if web.iter().any(|scheme| specifier.starts_with(scheme)) {
            return Ok(Target::Url);
        }
        let referrer = ModuleSpecifier::from_file_path(from)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", from.display())))?;
        let url =
            self.modules.resolve(specifier, referrer.as_str()).map_err(|error| error.at(from, specifier))?;
        if url.scheme() == "file" {
            let file = url.to_file_path().ok().filter(|file| file.is_file());
            return file
                .map(Target::File)
                .ok_or_else(|| place(format!("cannot import \"{specifier}\": there is no such file")));
        }
        match own_source(&url) {
            // A module of the server would fail only in the browser, where the reason is harder to see.
            Some((name, source)) if name.starts_with("@webqit/") || name == "live" => {
                Ok(Target::Own(name, source))
            }
            _ => Err(place(format!("cannot import \"{specifier}\": only the server has it"))),
        }
    }
}
