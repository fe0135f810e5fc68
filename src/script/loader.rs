//! Loads the modules of an isolate.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use super::modules::{Missing, Modules, ResolveError, own_source};
use super::sources::{Source, Sources};
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js;
use liveline_compiler::facts;
use liveline_compiler::first_await;
use liveline_compiler::transpile;

/// How to get a build that runs what needs Node's half.
#[cfg(not(feature = "node"))]
pub(super) const NEEDS_V8: &str = "it was built with QuickJS: build liveline with V8 (see the README)";

/// Reads the modules of its generation from files, and records which files it read.
pub(super) struct Loader {
    modules: Modules,
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
    pub(super) fn of(project: &Path) -> Loader {
        Loader {
            modules: Modules::of(project),
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

    /// Every file that was read so far, and those with settings, which may not be there.
    pub(super) fn files(&self) -> HashSet<PathBuf> {
        let files = self.files.borrow();
        files.iter().cloned().chain(self.modules.configs()).collect()
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
        let sources = self.sources.borrow().clone();
        // A file that is imported with a type is never run, whatever its name is.
        match requested {
            RequestedModuleType::Text => {
                let text = self.text_of(&path, url, importing)?;
                return module(ModuleType::Text, ModuleSourceCode::String(text.into()));
            }
            RequestedModuleType::Json => {
                let text = self.text_of(&path, url, importing)?;
                if text.is_empty() {
                    sources.found_empty();
                }
                return module(ModuleType::Json, ModuleSourceCode::String(text.into()));
            }
            RequestedModuleType::Bytes => {
                let bytes = self.bytes_of(&path, url, importing)?;
                return module(ModuleType::Bytes, ModuleSourceCode::Bytes(bytes.into()));
            }
            RequestedModuleType::Other(kind) => {
                let path = path.display();
                let message = format!("cannot import {path}: {}", facts::unknown_kind(kind));
                return Err(importing(message));
            }
            RequestedModuleType::None => {}
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm") => {
                let bytes = self.bytes_of(&path, url, &importing)?;
                if !bytes.starts_with(b"\0asm\x01\0\0\0") {
                    let path = path.display();
                    return Err(importing(format!("cannot import {path}: it is no module of WebAssembly")));
                }
                return module(ModuleType::Wasm, ModuleSourceCode::Bytes(bytes.into()));
            }
            Some("json") => {
                let path = path.display();
                return Err(importing(format!("cannot import {path}: {}", facts::JSON_NEEDS_TYPE)));
            }
            _ => {}
        }
        let Source { code, source_map } = match sources.module(url) {
            Some(source) => source,
            None => sources.keep(url, self.source_of(&path, &sources, importing)?),
        };
        if let Some(source_map) = source_map {
            self.source_maps.borrow_mut().insert(url.to_string(), source_map);
        }
        module(ModuleType::JavaScript, ModuleSourceCode::String(code.into()))
    }

    fn text_of(
        &self,
        path: &Path,
        url: &ModuleSpecifier,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Arc<str>, Diagnostic> {
        let sources = self.sources.borrow().clone();
        match sources.text(url) {
            Some(text) => Ok(text),
            None => Ok(sources.keep_text(url, read_text(path, importing)?.into())),
        }
    }

    fn bytes_of(
        &self,
        path: &Path,
        url: &ModuleSpecifier,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Arc<[u8]>, Diagnostic> {
        let sources = self.sources.borrow().clone();
        if let Some(bytes) = sources.bytes(url) {
            return Ok(bytes);
        }
        let bytes = std::fs::read(path)
            .map_err(|error| importing(format!("cannot import {}: {error}", path.display())))?;
        Ok(sources.keep_bytes(url, bytes.into()))
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
        if let Some(exports) = common_js::exports(path, &source) {
            return self.translated(path, exports, importing);
        }
        let script = transpile::script(path, source, || self.modules.options_of(path))?;
        Ok(Source { code: script.code.into(), source_map: script.source_map.map(Into::into) })
    }

    #[cfg(feature = "node")]
    fn translated(
        &self,
        path: &Path,
        exports: common_js::Exports,
        _importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        Ok(Source { code: self.translator.module(path, exports).into(), source_map: None })
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
        self.files.borrow_mut().insert(path.to_owned());
        let sources = self.sources.borrow().clone();
        let url = ModuleSpecifier::from_file_path(path)
            .map_err(|()| Diagnostic::new(format!("{} is not an absolute path", path.display())))?;
        if let Some(text) = sources.text(&url) {
            return Ok(text.to_string());
        }
        let text = read_text(path, Diagnostic::new)?;
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("ts" | "mts" | "cts" | "tsx" | "jsx") => {
                transpile::script(path, text, || self.modules.options_of(path))?.code
            }
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
        if let Ok(url) = &resolved {
            sources.keep_resolved(specifier, referrer, url);
            if let (Some(file), Some(importer)) = (path_of(url), importer_of(referrer)) {
                self.imports.borrow_mut().entry(importer).or_default().push(file);
            }
        }
        resolved.map_err(|error| {
            if let ResolveError::Missing { missing: Missing::File(file), .. } = &error {
                // The import works as soon as the file is there.
                self.files.borrow_mut().insert(file.clone());
            }
            let place = importer_of(referrer).map(|file| error.at(&file, specifier));
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
