//! The JavaScript tools that `client` needs, made of those that isolates have.

use std::path::Path;

use deno_core::ModuleSpecifier;

use super::modules::{Modules, own_source};
use crate::browser::{Compiled, Target, Toolchain};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::is_common_js;
use liveline_compiler::transpile;

/// Compiles and resolves as browsers need it.
pub(crate) struct BrowserTools {
    modules: Modules,
}

impl BrowserTools {
    /// For a project, whose folder this is.
    pub(crate) fn of(project: &Path) -> BrowserTools {
        BrowserTools { modules: Modules::for_browsers(project) }
    }
}

impl Toolchain for BrowserTools {
    fn check(&self, handler: &Path) -> Result<(), Diagnostic> {
        self.modules.check_handler(handler)
    }

    fn compile(&self, file: &Path, source: String) -> Result<Compiled, Diagnostic> {
        if is_common_js(file, &source) {
            let file = file.display();
            return Err(Diagnostic::new(format!("{file} is CommonJS, and browsers import ES modules")));
        }
        let transpile::Script { code, source_map } = transpile::script(file, source)?;
        let imports = transpile::imports(file, &code)?;
        Ok(Compiled { code, imports, source_map })
    }

    fn resolve(&self, specifier: &str, from: &Path) -> Result<Target, Diagnostic> {
        let place = |message: String| Diagnostic::at_import(message, from, specifier);
        let web = ["http:", "https:", "data:", "blob:"];
        if web.iter().any(|scheme| specifier.starts_with(scheme)) {
            return Ok(Target::Kept);
        }
        let referrer = ModuleSpecifier::from_file_path(from)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", from.display())))?;
        let url = self
            .modules
            .resolve(specifier, referrer.as_str())
            .map_err(|error| place(format!("TypeError: {error}")))?;
        if url.scheme() == "file" {
            let file = url.to_file_path().ok().filter(|file| file.is_file());
            return file
                .map(Target::File)
                .ok_or_else(|| place(format!("cannot import \"{specifier}\": there is no such file")));
        }
        match own_source(&url) {
            // What only the server has would fail in the browser, where it is harder to see why.
            Some((name, source)) if name.starts_with("@webqit/") || name == "live" => {
                Ok(Target::Own(name, source))
            }
            _ => Err(place(format!("cannot import \"{specifier}\": only the server has it"))),
        }
    }
}
