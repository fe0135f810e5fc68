//! Loads the modules of an isolate.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use super::modules::{Modules, is_common_js, own_source};
use super::stall::first_await;
use super::transpile;
use crate::ops::Diagnostic;

/// Reads modules from files, and remembers which.
pub struct Loader {
    modules: Modules,
    source_maps: RefCell<HashMap<String, Vec<u8>>>,
    files: RefCell<HashSet<PathBuf>>,
    /// What each file imports, in the order of its code.
    imports: RefCell<HashMap<PathBuf, Vec<PathBuf>>>,
    /// One of them had nothing in it.
    has_empty: Cell<bool>,
    /// The last error with a place that V8 does not know, because it never saw the source.
    failure: RefCell<Option<Diagnostic>>,
}

impl Loader {
    /// For the handlers of a project, whose folder this is.
    pub fn of(project: &Path) -> Loader {
        Loader {
            modules: Modules::of(project),
            source_maps: RefCell::default(),
            files: RefCell::default(),
            imports: RefCell::default(),
            has_empty: Cell::default(),
            failure: RefCell::default(),
        }
    }

    /// Fails where a handler is no code of the project.
    pub fn check(&self, handler: &Path) -> Result<(), Diagnostic> {
        self.modules.check_handler(handler)
    }

    /// Every file that was read so far.
    pub fn files(&self) -> HashSet<PathBuf> {
        self.files.borrow().clone()
    }

    /// The files with a top-level await that a handler is made of, what is imported first, with the line of the first.
    pub fn awaits(&self, handler: &Path) -> Vec<(PathBuf, usize)> {
        let imports = self.imports.borrow();
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        // Each file stands on the way down twice: to go into, and to look at once what it imports was looked at.
        let mut way = vec![(handler, false)];
        while let Some((file, is_entered)) = way.pop() {
            if is_entered {
                found.extend(first_await(file).map(|line| (file.to_owned(), line)));
            } else if seen.insert(file) {
                way.push((file, true));
                let imported = imports.get(file).into_iter().flatten().rev();
                way.extend(imported.map(|file| (file.as_path(), false)));
            }
        }
        found
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
        let resolved = self.modules.resolve(specifier, referrer);
        if let Ok(url) = &resolved
            && let (Some(file), Some(importer)) = (path_of(url), importer_of(referrer))
        {
            self.imports.borrow_mut().entry(importer).or_default().push(file);
        }
        resolved.map_err(|error| {
            let place = importer_of(referrer)
                .map(|file| Diagnostic::at_import(format!("TypeError: {error}"), &file, specifier));
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

fn importer_of(referrer: &str) -> Option<PathBuf> {
    ModuleSpecifier::parse(referrer).ok().and_then(|url| path_of(&url))
}

fn path_of(url: &ModuleSpecifier) -> Option<PathBuf> {
    url.to_file_path().ok()
}
