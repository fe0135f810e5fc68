//! Loads the modules of an isolate.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use super::border::is_in_package;
use super::half::{Half, need_node};
use super::modules::{Modules, own_source};
use super::sources::{Source, Sources};
use crate::ext::expect_packages;
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js;
use liveline_compiler::first_await;
#[cfg(feature = "node")]
use liveline_compiler::node_half;
use liveline_compiler::transpile;

/// How to get a build that runs what needs Node's half.
#[cfg(not(feature = "node"))]
pub(super) const NEEDS_V8: &str = "it was built with QuickJS: build liveline with V8 (see the README)";

/// Reads the modules of its generation from files, and records which files it read.
pub(super) struct Loader {
    modules: Modules,
    half: Half,
    lacks_node: Cell<bool>,
    /// The sources of the generation; an empty collection of the loader's own until `load_from` sets them.
    sources: RefCell<Arc<Sources>>,
    source_maps: RefCell<HashMap<String, Arc<[u8]>>>,
    files: RefCell<HashSet<PathBuf>>,
    /// The imported files of each file, in the order of its code.
    imports: RefCell<HashMap<PathBuf, Vec<PathBuf>>>,
    /// Makes ES modules of CommonJS ones.
    #[cfg(feature = "node")]
    translator: super::node::Translator,
    /// The last error whose place V8 cannot report, because V8 never received the source.
    failure: RefCell<Option<Diagnostic>>,
}

impl Loader {
    /// For the handlers of a project, with the path of its folder.
    pub(super) fn of(project: &Path, half: Half) -> Loader {
        Loader {
            modules: Modules::of(project),
            half,
            lacks_node: Cell::default(),
            sources: RefCell::default(),
            source_maps: RefCell::default(),
            files: RefCell::default(),
            imports: RefCell::default(),
            #[cfg(feature = "node")]
            translator: Default::default(),
            failure: RefCell::default(),
        }
    }

    /// Fails if a handler's file is outside of the project.
    pub(super) fn check(&self, handler: &Path, url: &ModuleSpecifier) -> Result<(), Diagnostic> {
        match self.sources.borrow().module(url) {
            // The file was checked when it was first read; later changes of the file make no difference.
            Some(_) => Ok(()),
            None => self.modules.check_handler(handler),
        }
    }

    /// Whether a module needs Node's half, which the isolate lacks.
    pub(super) fn lacks_node(&self) -> bool {
        self.lacks_node.get()
    }

    /// Every file that was read so far.
    pub(super) fn files(&self) -> HashSet<PathBuf> {
        self.files.borrow().clone()
    }

    /// The imported files of each file that was read.
    pub(super) fn imports(&self) -> HashMap<PathBuf, Vec<PathBuf>> {
        self.imports.borrow().clone()
    }

    /// Sets the generation's sources, which later loads use.
    pub(super) fn load_from(&self, sources: Arc<Sources>) {
        *self.sources.borrow_mut() = sources;
    }

    /// The files of a handler's modules with a top-level await, imported files before the files that import them, each
    /// with the line of its first await.
    pub(super) fn awaits(&self, handler: &Path) -> Vec<(PathBuf, usize)> {
        let imports = self.imports.borrow();
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        // Each file is on the stack twice: first to visit its imports, then to look for an await after these.
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

    /// The error that ended the last load, if it is the loader's. The next call returns None.
    pub(super) fn take_failure(&self) -> Option<Diagnostic> {
        self.failure.borrow_mut().take()
    }

    /// Records that a file is read.
    fn keep_file(&self, path: &Path) {
        if is_in_package(path) {
            expect_packages();
        }
        self.files.borrow_mut().insert(path.to_owned());
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
        self.keep_file(&path);
        let sources = self.sources.borrow().clone();
        // A file that is imported as text is never run, whatever its name is.
        if *requested == RequestedModuleType::Text {
            let text = match sources.text(url) {
                Some(text) => text,
                None => sources.keep_text(url, read_text(&path, importing)?.into()),
            };
            return module(ModuleType::Text, ModuleSourceCode::String(text.into()));
        }
        let source = match sources.module(url) {
            Some(source) => source,
            None => sources.keep(url, self.source_of(&path, &sources, importing)?),
        };
        self.module_of(url, source, requested, importing)
    }

    fn module_of(
        &self,
        url: &ModuleSpecifier,
        source: Source,
        requested: &RequestedModuleType,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<ModuleSource, Diagnostic> {
        let module = |kind, code: ModuleSourceCode| Ok(ModuleSource::new(kind, code, url, None));
        match source {
            Source::Json(_) if *requested != RequestedModuleType::Json => {
                let path = path_of(url).unwrap_or_default();
                let path = path.display();
                Err(importing(format!("cannot import {path}: JSON needs `with {{ type: \"json\" }}`")))
            }
            Source::Json(text) => module(ModuleType::Json, ModuleSourceCode::String(text.into())),
            Source::Script { code, source_map } => {
                if let Some(source_map) = source_map {
                    self.source_maps.borrow_mut().insert(url.to_string(), source_map);
                }
                module(ModuleType::JavaScript, ModuleSourceCode::String(code.into()))
            }
        }
    }
}

fn read_text(path: &Path, importing: impl Fn(String) -> Diagnostic) -> Result<String, Diagnostic> {
    std::fs::read_to_string(path)
        .map_err(|error| importing(format!("cannot import {}: {error}", path.display())))
}

impl Loader {
    /// The source of a file, compiled for V8.
    fn source_of(
        &self,
        path: &Path,
        sources: &Sources,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        let source = read_text(path, &importing)?;
        if source.is_empty() {
            sources.found_empty();
        }
        if path.extension().is_some_and(|extension| extension == "json") {
            return Ok(Source::Json(source.into()));
        }
        let exports = common_js::exports(path, &source);
        #[cfg(feature = "node")]
        if self.half == Half::Plain
            && (exports.is_some() || self.uses_node(path, &source, &mut HashSet::new()))
        {
            return Err(self.lack_node());
        }
        if let Some(exports) = exports {
            return self.translated(path, exports, importing);
        }
        let script = transpile::script(path, source)?;
        Ok(Source::Script { code: script.code.into(), source_map: script.source_map.map(Into::into) })
    }

    /// Whether a module or one that it may import later uses Node's half.
    #[cfg(feature = "node")]
    fn uses_node(&self, path: &Path, source: &str, seen: &mut HashSet<PathBuf>) -> bool {
        let uses = node_half::uses(path, source);
        uses.node || uses.later.iter().any(|specifier| self.leads_to_node(path, specifier, seen))
    }

    /// Whether an import leads to a module that uses Node's half. Packages are not followed: they count as users.
    #[cfg(feature = "node")]
    fn leads_to_node(&self, from: &Path, specifier: &str, seen: &mut HashSet<PathBuf>) -> bool {
        let Ok(referrer) = ModuleSpecifier::from_file_path(from) else { return false };
        let Ok(url) = self.modules.resolve(specifier, referrer.as_str()) else { return false };
        let Some(path) = path_of(&url) else { return url.scheme() == "node" };
        if !seen.insert(path.clone()) {
            return false;
        }
        let Ok(source) = std::fs::read_to_string(&path) else { return false };
        let Ok(facts) = liveline_compiler::facts::read(&path, &source) else { return false };
        common_js::exports(&path, &source).is_some()
            || self.uses_node(&path, &source, seen)
            || facts.imports.iter().any(|import| match import.specifier.starts_with(['.', '/']) {
                true => self.leads_to_node(&path, &import.specifier, seen),
                false => !import.specifier.starts_with("liveline:"),
            })
    }

    /// Why this isolate loads nothing more.
    #[cfg(feature = "node")]
    fn lack_node(&self) -> Diagnostic {
        self.lacks_node.set(true);
        need_node();
        Diagnostic::new("the isolate is made again with Node's half")
    }

    #[cfg(feature = "node")]
    fn translated(
        &self,
        path: &Path,
        exports: common_js::Exports,
        _importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        Ok(Source::Script { code: self.translator.module(path, exports).into(), source_map: None })
    }

    #[cfg(not(feature = "node"))]
    fn translated(
        &self,
        path: &Path,
        _exports: common_js::Exports,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        let path = path.display();
        Err(importing(format!(
            "cannot import {path}: it is CommonJS, which this build does not run; {NEEDS_V8}"
        )))
    }

    /// The text of a file that a CommonJS module requires.
    #[cfg(feature = "node")]
    pub(super) fn require(&self, path: &Path) -> Result<String, Diagnostic> {
        self.keep_file(path);
        let sources = self.sources.borrow().clone();
        let url = ModuleSpecifier::from_file_path(path)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
        if let Some(text) = sources.text(&url) {
            return Ok(text.to_string());
        }
        let text = read_text(path, Diagnostic::new)?;
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("ts" | "cts" | "tsx" | "jsx") => transpile::script(path, text)?.code,
            _ => text,
        };
        Ok(sources.keep_text(&url, text.into()).to_string())
    }

    /// Fails if a file that a CommonJS module requires is outside of the project and its packages.
    #[cfg(feature = "node")]
    pub(super) fn check_file(&self, file: &Path) -> Result<(), super::border::Outside> {
        self.modules.check_file(file)
    }
}

impl ModuleLoader for Loader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let sources = self.sources.borrow().clone();
        let resolved = match sources.resolved(specifier, referrer) {
            Some(url) => {
                // The result is kept already. This call admits the package, whose modules may import more of its files.
                if !specifier.starts_with(['.', '/']) {
                    let _ = self.modules.resolve(specifier, referrer);
                }
                Ok(url)
            }
            None => self.modules.resolve(specifier, referrer),
        };
        #[cfg(feature = "node")]
        if self.half == Half::Plain && resolved.as_ref().is_ok_and(|url| url.scheme() == "node") {
            return Err(JsErrorBox::generic(self.lack_node().message));
        }
        if let Ok(url) = &resolved {
            sources.keep_resolved(specifier, referrer, url);
            if let (Some(file), Some(importer)) = (path_of(url), importer_of(referrer)) {
                self.imports.borrow_mut().entry(importer).or_default().push(file);
            }
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
        self.source_maps.borrow().get(specifier).map(|map| Cow::Owned(map.to_vec()))
    }
}

fn importer_of(referrer: &str) -> Option<PathBuf> {
    ModuleSpecifier::parse(referrer).ok().and_then(|url| path_of(&url))
}

fn path_of(url: &ModuleSpecifier) -> Option<PathBuf> {
    url.to_file_path().ok()
}
