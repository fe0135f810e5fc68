//! Loads the modules of an isolate.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use super::modules::{Modules, is_common_js, own_source};
use super::transpile;
use crate::ops::Diagnostic;

/// Reads modules from files, and remembers which.
#[derive(Default)]
pub struct Loader {
    modules: Modules,
    source_maps: RefCell<HashMap<String, Vec<u8>>>,
    files: RefCell<HashSet<PathBuf>>,
    /// One of them had nothing in it.
    has_empty: Cell<bool>,
    /// The last error with a place that V8 does not know, because it never saw the source.
    failure: RefCell<Option<Diagnostic>>,
}

impl Loader {
    /// Every file that was read so far.
    pub fn files(&self) -> HashSet<PathBuf> {
        self.files.borrow().clone()
    }

    /// Whether a file had nothing in it, as one that is about to be written.
    pub fn has_empty(&self) -> bool {
        self.has_empty.get()
    }

    /// The error that ended the last load, if it came from here.
    pub fn take_failure(&self) -> Option<Diagnostic> {
        self.failure.borrow_mut().take()
    }

    fn read(
        &self,
        url: &ModuleSpecifier,
        referrer: Option<&ModuleLoadReferrer>,
        requested: &RequestedModuleType,
    ) -> Result<ModuleSource, Diagnostic> {
        let module = |kind, code: ModuleSourceCode| Ok(ModuleSource::new(kind, code, url, None));
        if let Some((_, source)) = own_source(url) {
            return module(ModuleType::JavaScript, ModuleSourceCode::String(source.to_owned().into()));
        }
        let importing = |message: String| match referrer
            .and_then(|from| Some((from, path_of(&from.specifier)?)))
        {
            Some((from, file)) => {
                let (line, column) = (from.line_number.max(1) as usize, from.column_number.max(1) as usize);
                Diagnostic::at(message, file, line, column)
            }
            None => Diagnostic::new(message),
        };
        let path = path_of(url).ok_or_else(|| importing(format!("cannot import {url}: it is not a file")))?;
        self.files.borrow_mut().insert(path.clone());
        let source = std::fs::read_to_string(&path)
            .map_err(|error| importing(format!("cannot import {}: {error}", path.display())))?;
        if source.is_empty() {
            self.has_empty.set(true);
        }
        if path.extension().is_some_and(|extension| extension == "json") {
            if *requested != RequestedModuleType::Json {
                let path = path.display();
                return Err(importing(format!(
                    "cannot import {path}: JSON needs `with {{ type: \"json\" }}`"
                )));
            }
            return module(ModuleType::Json, ModuleSourceCode::String(source.into()));
        }
        if is_common_js(&path, &source) {
            let path = path.display();
            return Err(importing(format!(
                "cannot import {path}: it is CommonJS, and handlers import ES modules"
            )));
        }
        let script = transpile::script(&path, source)?;
        if let Some(source_map) = script.source_map {
            self.source_maps.borrow_mut().insert(url.to_string(), source_map);
        }
        module(ModuleType::JavaScript, ModuleSourceCode::String(script.code.into()))
    }
}

impl ModuleLoader for Loader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        self.modules.resolve(specifier, referrer).map_err(|error| {
            let file = ModuleSpecifier::parse(referrer).ok().and_then(|url| path_of(&url));
            let place =
                file.map(|file| Diagnostic::at_import(format!("TypeError: {error}"), &file, specifier));
            *self.failure.borrow_mut() = place.filter(|diagnostic| diagnostic.place.is_some());
            JsErrorBox::from_err(error)
        })
    }

    fn load(
        &self,
        url: &ModuleSpecifier,
        referrer: Option<&ModuleLoadReferrer>,
        options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        let source = self.read(url, referrer, &options.requested_module_type).map_err(|diagnostic| {
            let message = diagnostic.message.clone();
            *self.failure.borrow_mut() = Some(diagnostic);
            JsErrorBox::generic(message)
        });
        ModuleLoadResponse::Sync(source)
    }

    fn get_source_map(&self, specifier: &str) -> Option<Cow<'_, [u8]>> {
        self.source_maps.borrow().get(specifier).map(|map| Cow::Owned(map.clone()))
    }
}

fn path_of(url: &ModuleSpecifier) -> Option<PathBuf> {
    url.to_file_path().ok()
}
