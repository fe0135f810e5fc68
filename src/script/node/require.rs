//! How `require()` reads files.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use deno_core::FastString;
use deno_core::url::Url;
use deno_error::JsErrorBox;
use deno_node::NodeRequireLoader;
use deno_permissions::PermissionsContainer;
use node_resolver::PackageJsonResolverRc;
use node_resolver::errors::PackageJsonLoadError;
use sys_traits::impls::RealSys;

use crate::script::loader::Loader;

/// Reads required files as the isolate's loader reads imported ones: within the project and its packages, as they were
/// when the generation first read them.
pub(super) struct Required {
    pub(super) loader: Rc<Loader>,
    pub(super) manifests: PackageJsonResolverRc<RealSys>,
}

impl NodeRequireLoader for Required {
    /// Which files handlers may load is the loader's decision, not that of the permissions for files.
    fn ensure_read_permission<'a>(
        &self,
        _permissions: &mut PermissionsContainer,
        path: Cow<'a, Path>,
    ) -> Result<Cow<'a, Path>, JsErrorBox> {
        self.loader.check_file(&path).map_err(|error| JsErrorBox::type_error(error.to_string()))?;
        Ok(path)
    }

    fn load_text_file_lossy(&self, path: &Path) -> Result<FastString, JsErrorBox> {
        self.loader
            .require(path)
            .map(FastString::from)
            .map_err(|error| JsErrorBox::generic(error.to_string()))
    }

    fn is_maybe_cjs(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        let path = specifier.to_file_path().unwrap_or_else(|()| PathBuf::from(specifier.path()));
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("cjs" | "cts") => Ok(true),
            Some("mjs" | "mts" | "json" | "wasm") => Ok(false),
            _ => {
                let manifest = self.manifests.get_closest_package_json(&path)?;
                Ok(manifest.is_none_or(|manifest| manifest.typ != "module"))
            }
        }
    }

    fn is_maybe_cjs_from_require(&self, specifier: &Url) -> Result<bool, PackageJsonLoadError> {
        self.is_maybe_cjs(specifier)
    }
}
