//! Loads the modules of an isolate.

mod renewal;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource, ModuleSourceCode,
    ModuleSpecifier, ModuleType, RequestedModuleType, ResolutionKind,
};
use deno_error::JsErrorBox;

use super::compiled;
use super::half::Half;
#[cfg(feature = "node")]
use super::half::need_node;
use super::instances::{Digest, Instances, Stamp, plain};
#[cfg(feature = "node")]
use super::modules::OWN_SCHEME;
use super::modules::{Missing, Modules, ResolveError, made_source, own_source, provided_source};
use super::sources::{Source, Sources};
use crate::dialect::{FileKind, Settings};
use crate::ext::{Access, expect_packages, packages};
use liveline_compiler::common_js;
use liveline_compiler::environment;
use liveline_compiler::facts;
use liveline_compiler::first_await;
use liveline_compiler::jsx::Jsx;
#[cfg(feature = "node")]
use liveline_compiler::node_half;
#[cfg(feature = "node")]
use liveline_compiler::require;
use liveline_compiler::transpile;
use liveline_compiler::{Diagnostic, Place};

pub(super) use self::renewal::Before;

/// How to get a build that runs what needs Node's half.
#[cfg(not(feature = "node"))]
pub(super) const NEEDS_V8: &str = "it was built with QuickJS: build liveline with V8 (see the README)";

/// Reads the modules of its generation from files, and records which files it read.
pub(super) struct Loader {
    modules: Modules,
    /// Whether code carries its source map, for debuggers.
    embeds_source_maps: Cell<bool>,
    access: Access,
    #[cfg_attr(not(feature = "node"), expect(dead_code, reason = "no isolate has Node's half there"))]
    half: Half,
    lacks_node: Cell<bool>,
    /// The sources of the generation; an empty collection of the loader's own until `load_from` sets them.
    sources: RefCell<Arc<Sources>>,
    source_maps: RefCell<HashMap<String, Arc<[u8]>>>,
    files: RefCell<HashSet<PathBuf>>,
    /// The imported files of each file, in the order of its code.
    imports: RefCell<HashMap<PathBuf, Vec<PathBuf>>>,
    /// The CommonJS module that an ES module has imported last, among those that have begun to run.
    began: RefCell<Option<PathBuf>>,
    /// The file that a CommonJS module has required last.
    last_required: RefCell<Option<PathBuf>>,
    /// The last error whose place V8 cannot report, because V8 never received the source.
    failure: RefCell<Option<Diagnostic>>,
    /// The instances of modules that later imports lead to.
    instances: RefCell<Instances>,
    /// How often code was loaded again.
    loads: Cell<u32>,
    /// What the settings contained when the code had loaded that runs.
    settings: RefCell<BTreeMap<PathBuf, Option<Digest>>>,
}

impl Loader {
    /// For the handlers of a project.
    pub(super) fn of(access: &Access, half: Half) -> Loader {
        Loader {
            modules: Modules::of(access.project()),
            access: access.clone(),
            embeds_source_maps: Cell::default(),
            half,
            lacks_node: Cell::default(),
            sources: RefCell::default(),
            source_maps: RefCell::default(),
            files: RefCell::default(),
            imports: RefCell::default(),
            began: RefCell::default(),
            last_required: RefCell::default(),
            failure: RefCell::default(),
            instances: RefCell::default(),
            loads: Cell::default(),
            settings: RefCell::default(),
        }
    }

    /// From now on code carries its source map.
    pub(super) fn embed_source_maps(&self) {
        self.embeds_source_maps.set(true);
    }

    /// Fails if a handler's file is outside of the project.
    pub(super) fn check(&self, handler: &Path, url: &ModuleSpecifier) -> Result<(), Diagnostic> {
        match self.sources.borrow().module(url) {
            // The file was checked when it was first read; later changes of the file make no difference.
            Some(_) => Ok(()),
            None => self.modules.check_handler(handler),
        }
    }

    /// Reads a handler's file, unless it was read before. What fails is left to the isolates that load it.
    pub(super) fn read_ahead(&self, handler: &Path) {
        let Ok(url) = ModuleSpecifier::from_file_path(handler) else { return };
        let sources = self.sources.borrow().clone();
        if self.check(handler, &url).is_ok() && self.modules.kind_of(handler).is_none() {
            let _ = self.module_of(handler, &url, &sources, Diagnostic::new);
        }
    }

    /// Whether a module needs Node's half, which the isolate lacks.
    pub(super) fn lacks_node(&self) -> bool {
        self.lacks_node.get()
    }

    /// Every file that was read so far, and those with settings, which may not be there.
    pub(super) fn files(&self) -> HashSet<PathBuf> {
        // Those that decided about modules that were kept are not looked at again.
        let mut files = self.sources.borrow().keep_configs(self.modules.configs());
        files.extend(self.files.borrow().iter().cloned());
        files
    }

    /// The imported files of each file that was read.
    pub(super) fn imports(&self) -> HashMap<PathBuf, Vec<PathBuf>> {
        self.imports.borrow().clone()
    }

    /// From now on follows what the project's configuration decides.
    pub(super) fn adopt(&self, settings: Arc<Settings>) {
        self.modules.adopt(settings);
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

    /// The places of the imports by which a handler came to a file, the last import first. `None` stands for the last
    /// CommonJS module that began to load.
    pub(super) fn importers(&self, handler: &Path, file: Option<&Path>) -> Vec<Place> {
        let imports = self.imports.borrow();
        let began = self.began.borrow();
        // Breadth first, so that the shortest way is found.
        let (mut came_from, mut waiting) = (HashMap::new(), VecDeque::from([handler]));
        while let Some(from) = waiting.pop_front() {
            for to in imports.get(from).into_iter().flatten() {
                if to != handler && !came_from.contains_key(to.as_path()) {
                    came_from.insert(to.as_path(), from);
                    waiting.push_back(to);
                }
            }
        }
        let known = [file, began.as_deref()].into_iter().flatten().find(|file| came_from.contains_key(file));
        let mut places = Vec::new();
        let mut to = known;
        while let Some((imported, importer)) = to.and_then(|to| Some((to, *came_from.get(to)?))) {
            places.extend(self.place_of_import(importer, imported));
            to = Some(importer);
        }
        places
    }

    fn place_of_import(&self, importer: &Path, imported: &Path) -> Option<Place> {
        let url = |file: &Path| ModuleSpecifier::from_file_path(file).ok();
        let specifier = self.sources.borrow().specifier_of(url(importer)?.as_str(), &url(imported)?)?;
        Diagnostic::at_import("", importer, &specifier).place
    }

    /// Forgets the last error.
    pub(super) fn begin(&self) {
        self.failure.take();
        self.last_required.take();
    }

    /// The error that ended the last load: the loader's own where `described` is what became of it, else `described`,
    /// with the place of a syntax error in a required file.
    pub(super) fn failure(&self, described: Diagnostic) -> Diagnostic {
        let own = self.failure.take();
        let is_same = |own: &Diagnostic| {
            described.message.contains(own.message.strip_prefix("TypeError: ").unwrap_or(&own.message))
        };
        if let Some(own) = own.filter(is_same) {
            return own;
        }
        let required = || self.last_required.borrow().clone();
        if described.message.starts_with("SyntaxError")
            && let Some(file) = required()
            && let Some(error) =
                std::fs::read_to_string(&file).ok().and_then(|source| common_js::syntax_error(&file, &source))
        {
            let call = described.place.map(|place| format!("at require ({place})"));
            let stack = call.into_iter().chain(described.stack).collect();
            return Diagnostic { place: error.place, stack, ..described };
        }
        with_language_help(described)
    }

    /// Records that a file is read.
    fn keep_file(&self, path: &Path) {
        if packages::holds(path) {
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
        let instance = url;
        let module = |kind, code: ModuleSourceCode| Ok(ModuleSource::new(kind, code, instance, None));
        let own = ModuleSpecifier::parse(plain(url.as_str())).ok();
        let url = own.as_ref().unwrap_or(url);
        if let Some((_, source)) = own_source(url) {
            return module(ModuleType::JavaScript, ModuleSourceCode::String(source.to_owned().into()));
        }
        if let Some(source) = made_source(url).or_else(|| provided_source(url)) {
            return module(ModuleType::JavaScript, ModuleSourceCode::String(source.into()));
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
        // The module that needs it may have been kept by an isolate that has the half.
        #[cfg(feature = "node")]
        if self.half == Half::Plain && sources.needs_node() {
            return Err(self.lack_node());
        }
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
                check_json(&path, &text)?;
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
            RequestedModuleType::None if url.fragment() == Some(AS_IT_IS) => {}
            RequestedModuleType::None => {
                if let Some(kind) = self.modules.kind_of(&path) {
                    return module(
                        ModuleType::JavaScript,
                        ModuleSourceCode::String(imported(url, kind).into()),
                    );
                }
            }
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm") => {
                let bytes = self.bytes_of(&path, url, importing)?;
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
        match self.module_of(&path, url, &sources, importing)? {
            Source::Script { code, source_map } => {
                let code = self.for_v8(code, source_map.as_deref());
                if let Some(source_map) = source_map {
                    self.source_maps.borrow_mut().insert(instance.to_string(), source_map);
                }
                let compiled = compiled::of(url, &code);
                let code = ModuleSourceCode::String(code.into());
                Ok(ModuleSource::new(ModuleType::JavaScript, code, instance, compiled))
            }
            #[cfg(feature = "node")]
            Source::Requires(code) => {
                // A URL of its own distinguishes the frames of this module from those of the CommonJS one.
                let number = instance.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default();
                let own = ModuleSpecifier::parse(&format!("{OWN_SCHEME}require{}{number}", url.path()))
                    .map_err(|error| importing(error.to_string()))?;
                let code = ModuleSourceCode::String(code.into());
                Ok(ModuleSource::new_with_redirect(ModuleType::JavaScript, code, instance, &own, None))
            }
        }
    }

    /// Code as V8 gets it: with its source map at its end if debuggers look for it there.
    fn for_v8(&self, code: Arc<str>, source_map: Option<&[u8]>) -> Arc<str> {
        match source_map {
            Some(source_map) if self.embeds_source_maps.get() => with_source_map(&code, source_map).into(),
            _ => code,
        }
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
            None => Ok(sources.keep_text(url, self.read_text(path, importing)?.into())),
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
        self.check_own(path, &importing)?;
        let stamp = Stamp::before_reading(path);
        let bytes = std::fs::read(path)
            .map_err(|error| importing(format!("cannot import {}: {error}", path.display())))?;
        sources.keep_digest(path, &bytes, stamp);
        Ok(sources.keep_bytes(url, bytes.into()))
    }
}

impl Loader {
    fn read_text(&self, path: &Path, importing: impl Fn(String) -> Diagnostic) -> Result<String, Diagnostic> {
        self.check_own(path, &importing)?;
        let stamp = Stamp::before_reading(path);
        let text = std::fs::read_to_string(path)
            .map_err(|error| importing(format!("cannot import {}: {error}", path.display())))?;
        self.sources.borrow().keep_digest(path, text.as_bytes(), stamp);
        Ok(text)
    }

    /// Fails if a file is one of the server's own, such as its store of sessions.
    fn check_own(&self, path: &Path, importing: impl Fn(String) -> Diagnostic) -> Result<(), Diagnostic> {
        if path.canonicalize().is_ok_and(|real| self.access.is_own_file(&real)) {
            return Err(importing(format!("cannot import {}: it is a file of the server", path.display())));
        }
        Ok(())
    }

    /// The module that a file of JavaScript is.
    fn module_of(
        &self,
        path: &Path,
        url: &ModuleSpecifier,
        sources: &Sources,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        match sources.module(url) {
            Some(source) => Ok(source),
            None => Ok(sources.keep(url, self.source_of(path, sources, importing)?)),
        }
    }

    /// The source of a file, compiled for V8.
    fn source_of(
        &self,
        path: &Path,
        sources: &Sources,
        importing: impl Fn(String) -> Diagnostic,
    ) -> Result<Source, Diagnostic> {
        if path.extension().is_some_and(|extension| extension == "node") {
            return Err(importing(packages::addon_refusal(path)));
        }
        let source = self.read_text(path, &importing)?;
        if source.is_empty() {
            sources.found_empty();
        }
        let exports = common_js::exports(path, &source, self.modules.declared(path));
        #[cfg(feature = "node")]
        if self.half == Half::Plain
            && (exports.is_some() || self.uses_node(path, &source, &mut HashSet::new()))
        {
            return Err(self.lack_node());
        }
        match exports {
            Some(exports) => self.translated(path, exports, importing),
            None => self.compiled(path, source),
        }
    }

    /// The source of a file with this text, compiled for V8.
    fn compiled(&self, path: &Path, text: String) -> Result<Source, Diagnostic> {
        let text = environment::filled_in(path, self.with_own_url(path, text));
        let settings = self.modules.settings();
        #[cfg(feature = "node")]
        let text = match settings.is_for_workers.then(|| require::provided(path, &text)).flatten() {
            // As wrangler's bundler resolves it.
            Some(text) => {
                self.demand_node()?;
                text
            }
            None => text,
        };
        let scope = settings.scope.as_ref().filter(|scope| scope.covers(path));
        let suffix = scope.map(|scope| scope.suffix(path, &text));
        let options = || {
            let mut options = self.modules.options_of(path)?;
            if scope.is_some() {
                options.jsx = Jsx::classic(Some("h".to_owned()), Some("Fragment".to_owned()));
            }
            Ok(options)
        };
        let mut script = match self.modules.has_jsx(path) {
            true => transpile::script_or_jsx(path, text, options)?,
            false => transpile::script(path, text, options)?,
        };
        script.code.extend(suffix);
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
        let declared = self.modules.declared(&path);
        let Ok(facts) = liveline_compiler::facts::read(&path, &source, declared) else { return false };
        facts.is_common_js
            || self.uses_node(&path, &source, seen)
            || facts.imports.iter().any(|import| match import.specifier.starts_with(['.', '/']) {
                true => self.leads_to_node(&path, &import.specifier, seen),
                false => !import.specifier.starts_with("liveline:"),
            })
    }

    /// Whether the isolate has Node's half, which all code of some dialects needs whatever its text is.
    #[cfg(feature = "node")]
    pub(super) fn demand_node(&self) -> Result<(), Diagnostic> {
        if self.half == Half::Plain { Err(self.lack_node()) } else { Ok(()) }
    }

    /// Why this isolate loads nothing more.
    #[cfg(feature = "node")]
    fn lack_node(&self) -> Diagnostic {
        self.lacks_node.set(true);
        self.sources.borrow().need_node();
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
        Ok(Source::Requires(super::node::translated(&self.modules, path, exports).into()))
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

    /// Whether a CommonJS module was required since the last load began.
    pub(super) fn has_required(&self) -> bool {
        self.last_required.borrow().is_some()
    }

    /// The text of a file that a CommonJS module requires, compiled for V8.
    #[cfg(feature = "node")]
    pub(super) fn require(&self, path: &Path) -> Result<String, Diagnostic> {
        let refused = |error: &dyn std::fmt::Display| Diagnostic::new(error.to_string());
        self.modules.check_required(path).map_err(|outside| refused(&outside))?;
        self.keep_file(path);
        let sources = self.sources.borrow().clone();
        let url = ModuleSpecifier::from_file_path(path)
            .map_err(|()| refused(&format!("{} is not an absolute path", path.display())))?;
        if matches!(sources.module(&url), Some(Source::Requires(_))) {
            *self.began.borrow_mut() = Some(path.to_owned());
        }
        *self.last_required.borrow_mut() = Some(path.to_owned());
        let source = match sources.required(&url) {
            Some(source) => source,
            None => sources.keep_required(&url, self.compiled(path, self.read_text(path, Diagnostic::new)?)?),
        };
        match source {
            Source::Requires(text) => Ok(text.to_string()),
            Source::Script { code, source_map } => {
                let code = self.for_v8(code, source_map.as_deref());
                if let Some(source_map) = source_map {
                    self.source_maps.borrow_mut().insert(url.to_string(), source_map);
                }
                Ok(code.to_string())
            }
        }
    }

    /// Fails if a file that a CommonJS module requires is outside of the project and its packages.
    #[cfg(feature = "node")]
    pub(super) fn check_required(&self, file: &Path) -> Result<(), super::border::Outside> {
        self.modules.check_required(file)
    }

    /// Admits the folders in which a CommonJS module in `folder` looks for packages.
    #[cfg(feature = "node")]
    pub(super) fn admit_lookups(&self, folder: &Path, lookups: impl Iterator<Item = PathBuf>) {
        self.modules.admit_lookups(folder, lookups);
    }

    /// What the package of a file states about its kind.
    #[cfg(feature = "node")]
    pub(super) fn declared(&self, file: &Path) -> common_js::Declared {
        self.modules.declared(file)
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
        let (specifier, referrer) = (plain(specifier), plain(referrer));
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
        if self.half == Half::Plain
            && resolved.as_ref().is_ok_and(|url| url.scheme() == "node" || provided_source(url).is_some())
        {
            return Err(JsErrorBox::generic(self.lack_node().message));
        }
        if let Ok(url) = &resolved {
            sources.keep_resolved(specifier, referrer, url);
            if let (Some(file), Some(importer)) = (path_of(url), importer_of(referrer)) {
                self.imports.borrow_mut().entry(importer).or_default().push(file);
            }
        }
        resolved.map(|url| self.instances.borrow().of(url)).map_err(|error| {
            if let ResolveError::Missing { missing: Missing::File(file), .. } = &error {
                // The import works as soon as the file is there.
                self.files.borrow_mut().insert(file.clone());
            }
            let place = importer_of(referrer).map(|file| error.at(&file, specifier));
            *self.failure.borrow_mut() = place.filter(|diagnostic| diagnostic.place.is_some());
            error.into_js_error()
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

    fn code_cache_ready(
        &self,
        _url: ModuleSpecifier,
        hash: u64,
        code: &[u8],
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        compiled::keep(hash, code);
        Box::pin(std::future::ready(()))
    }

    fn get_source_map(&self, specifier: &str) -> Option<Cow<'_, [u8]>> {
        self.source_maps.borrow().get(specifier).map(|map| Cow::Owned(map.to_vec()))
    }
}

/// The fragment of the URL by which a file is imported as its name says, whatever the rules of its project are.
const AS_IT_IS: &str = "as-it-is";

/// The module that a file without code is imported as: the same file is imported with a type, or as it is.
fn imported(url: &ModuleSpecifier, kind: FileKind) -> String {
    let mut same = url.clone();
    same.set_fragment(Some(AS_IT_IS));
    let (url, same) = (serde_json::Value::from(url.as_str()), serde_json::Value::from(same.as_str()));
    match kind {
        FileKind::Text | FileKind::Code => {
            format!("import text from {url} with {{ type: \"text\" }};\nexport default text;\n")
        }
        FileKind::Data => format!(
            "import bytes from {url} with {{ type: \"bytes\" }};\n\
             export default bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);\n"
        ),
        FileKind::Json => {
            format!("import value from {url} with {{ type: \"json\" }};\nexport default value;\n")
        }
        FileKind::Wasm => format!("import source module from {same};\nexport default module;\n"),
    }
}

/// Code with its source map at its end, where debuggers look for it.
fn with_source_map(code: &str, source_map: &[u8]) -> String {
    let source_map = BASE64_STANDARD.encode(source_map);
    format!("{code}\n//# sourceMappingURL=data:application/json;base64,{source_map}\n")
}

fn importer_of(referrer: &str) -> Option<PathBuf> {
    ModuleSpecifier::parse(referrer).ok().and_then(|url| path_of(&url))
}

fn path_of(url: &ModuleSpecifier) -> Option<PathBuf> {
    url.to_file_path().ok()
}

/// Fails if a text is not JSON, with its place. What only V8 can tell is left to V8, which names no file.
fn check_json(path: &Path, text: &str) -> Result<(), Diagnostic> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else { return Ok(()) };
    let reason = error.to_string();
    if reason.starts_with("recursion limit") {
        return Ok(());
    }
    let reason = reason.split(" at line ").next().unwrap_or(&reason);
    Err(Diagnostic::at(format!("this is not JSON: {reason}"), path, error.line(), error.column().max(1)))
}

/// A syntax error, with what to do if the file is written in another language than its name says.
fn with_language_help(error: Diagnostic) -> Diagnostic {
    let file = error.place.as_ref().map(|place| &place.file);
    let file = file.filter(|_| error.message.starts_with("SyntaxError"));
    let help = file.and_then(|file| transpile::language_help(file, &std::fs::read_to_string(file).ok()?));
    match help {
        Some(help) => error.with_help(Some(help)),
        None => error,
    }
}
