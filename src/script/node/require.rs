//! How `require()` reads files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use deno_core::FastString;
use deno_core::url::Url;
use deno_error::JsErrorBox;
use deno_node::NodeRequireLoader;
use deno_permissions::PermissionsContainer;
use liveline_compiler::common_js::Declared;
use node_resolver::errors::PackageJsonLoadError;

use crate::ext::packages;
use crate::script::loader::Loader;

/// Reads required files as the isolate's loader reads imported ones: within the project and its packages, as they were
/// when the generation first read them.
pub(super) struct Required {
    pub(super) loader: Rc<Loader>,
}

impl NodeRequireLoader for Required {
    /// Which files handlers may load is the loader's decision, not that of the permissions for files.
    fn ensure_read_permission<'a>(
        &self,
        _permissions: &mut PermissionsContainer,
        path: Cow<'a, Path>,
    ) -> Result<Cow<'a, Path>, JsErrorBox> {
        // A folder in which packages are looked for need not be there.
        if !path.ends_with(packages::FOLDER) {
            self.loader.check_required(&path).map_err(|error| JsErrorBox::type_error(error.to_string()))?;
        }
        Ok(path)
    }

    fn load_text_file_lossy(&self, path: &Path) -> Result<FastString, JsErrorBox> {
        let code = self.loader.require(path).map_err(|error| JsErrorBox::generic(error.to_string()))?;
        Ok(FastString::from(code))
    }

    fn is_maybe_cjs(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        let path = specifier.to_file_path().unwrap_or_else(|()| PathBuf::from(specifier.path()));
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("cjs" | "cts") => true,
            Some("mjs" | "mts" | "json" | "wasm") => false,
            _ => self.loader.declared(&path) != Declared::Module,
        })
    }

    fn is_maybe_cjs_from_require(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        self.is_maybe_cjs(specifier)
    }

    fn resolve_require_node_module_paths(&self, from: &Path) -> Vec<String> {
        let lookups = || {
            let above = from.ancestors().filter(|folder| !folder.ends_with(packages::FOLDER));
            above.map(|folder| folder.join(packages::FOLDER))
        };
        self.loader.admit_lookups(from, lookups());
        lookups().map(|folder| folder.to_string_lossy().into_owned()).collect()
    }
}
