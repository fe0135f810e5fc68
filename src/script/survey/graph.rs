//! The graph of modules of a handler, and the imports that cannot be resolved.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use deno_core::ModuleSpecifier;

use crate::dialect::{self, Settings, nearest};
use crate::ext::packages;
use crate::script::modules::{self, Missing, Modules, ResolveError};
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js::Declared;
use liveline_compiler::facts::{self, Attribute, Export, Facts, Form, Import, Kind};
use liveline_compiler::line_and_column;

/// Reads the modules of handlers, each file once.
pub(crate) struct Survey {
    modules: Modules,
    project: PathBuf,
    /// Whether browsers run the handlers. Browsers themselves load imports of `http:`, `https:`, `data:` and `blob:`.
    is_for_browsers: bool,
    read: HashMap<PathBuf, Rc<Module>>,
}

/// A module that was read.
struct Module {
    source: String,
    facts: Result<Facts, Diagnostic>,
}

/// Errors in the modules of a handler.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Errors that keep the handler from loading.
    pub fatal: Vec<Diagnostic>,
    /// Errors that throw when the code is reached.
    pub later: Vec<Diagnostic>,
    /// Every file that was read.
    pub files: BTreeSet<PathBuf>,
}

/// The target of an import.
enum Target {
    File(PathBuf),
    /// A file whose content is the default export.
    Data,
    /// A module of the host, by its source.
    Own(&'static str),
    /// An import that is not checked.
    Elsewhere,
}

/// All names that a module exports.
struct Names {
    names: BTreeSet<String>,
    /// Names of types, which exist in TypeScript only.
    types: BTreeSet<String>,
    /// Whether there may be more names, from modules that are not read.
    is_open: bool,
}

impl Survey {
    /// For handlers that the server runs.
    pub(crate) fn of(project: &Path) -> Survey {
        Survey::with(Modules::of(project), project, false)
    }

    /// For handlers that browsers run.
    pub(crate) fn for_browsers(project: &Path) -> Survey {
        Survey::with(Modules::for_browsers(project), project, true)
    }

    fn with(modules: Modules, project: &Path, is_for_browsers: bool) -> Survey {
        Survey { modules, project: project.to_owned(), is_for_browsers, read: HashMap::new() }
    }

    /// Follows what the project's configuration decides.
    pub(crate) fn adopt(&mut self, settings: Arc<Settings>) {
        self.modules.adopt(settings);
    }

    /// The facts and the source of one file, if it can be read and parsed.
    pub(crate) fn facts(&mut self, file: &Path) -> Option<(Facts, String)> {
        let module = self.module(file).ok()?;
        let facts = facts::read(file, &module.source, self.modules.declared(file)).ok()?;
        Some((facts, module.source.clone()))
    }

    /// The exports of a file, as far as its source shows: an export that may be a function counts as one.
    pub(crate) fn exports_of(&mut self, file: &Path) -> dialect::Exports {
        let mut names = self.exports(file);
        if self.is_common_js(file) && self.kind(file, "default") == Kind::Value {
            // Such a module exports an object, and its handlers are the object's functions.
            names.remove("default");
        }
        names.retain(|name| name != "__esModule");
        let export = |name: String| {
            let is_function = !matches!(self.kind(file, &name), Kind::Value | Kind::Type);
            (name, if is_function { dialect::Export::Function } else { dialect::Export::Other })
        };
        names.into_iter().map(export).collect()
    }

    /// The kind of an export, through all modules that re-export it.
    fn kind(&mut self, file: &Path, name: &str) -> Kind {
        let mut seen = HashSet::new();
        self.kind_of(file, name, &mut seen)
    }

    /// Every name that a file exports, as far as its source shows, types excluded.
    fn exports(&mut self, file: &Path) -> BTreeSet<String> {
        self.names(&Target::File(file.to_owned()), &mut HashSet::new()).names
    }

    /// Follows a handler's imports. Files of packages are not read.
    pub(crate) fn faults(&mut self, handler: &Path) -> Faults {
        let mut faults = Faults::default();
        let mut waiting = vec![handler.to_owned()];
        while let Some(file) = waiting.pop() {
            if !faults.files.insert(file.clone()) {
                continue;
            }
            let Ok(module) = self.module(&file) else { continue };
            let facts = match &module.facts {
                Ok(facts) => facts,
                Err(diagnostic) => {
                    faults.fatal.push(diagnostic.clone());
                    continue;
                }
            };
            let mut below = Vec::new();
            for import in &facts.imports {
                let list = if import.form == Form::Dynamic { &mut faults.later } else { &mut faults.fatal };
                match self.target(&file, import) {
                    Ok(target) => {
                        list.extend(self.missing_names(&file, &module.source, import, &target));
                        if let Target::File(target) = target
                            && import.form != Form::Dynamic
                            && !packages::holds(&target)
                        {
                            below.push(target);
                        }
                    }
                    Err(fault) if fault.place.is_some() => {
                        // Settings that cannot be read keep several imports from being resolved.
                        if !list.contains(&fault) {
                            list.push(fault);
                        }
                    }
                    Err(Diagnostic { message, help, .. }) => {
                        let (line, column) = line_and_column(&module.source, import.at);
                        let help = help.map(String::from);
                        list.push(Diagnostic::at(message, &file, line, column).with_help(help));
                    }
                }
            }
            // In the order of the imports.
            waiting.extend(below.into_iter().rev());
        }
        faults
    }

    /// Every reason why a handler's modules do not load; `reported` is the first one, from V8.
    pub(crate) fn reasons(&mut self, handler: &Path, reported: Diagnostic) -> Vec<Diagnostic> {
        let faults = self.faults(handler).fatal;
        if faults.is_empty() {
            return vec![reported];
        }
        // For a syntax error V8's message is kept.
        let choose = |fault: Diagnostic| {
            if is_same_syntax_error(&fault, &reported) { reported.clone() } else { fault }
        };
        faults.into_iter().map(choose).collect()
    }

    fn module(&mut self, file: &Path) -> std::io::Result<Rc<Module>> {
        if let Some(module) = self.read.get(file) {
            return Ok(module.clone());
        }
        let source = fs::read_to_string(file)?;
        let source = source.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(source);
        let facts = facts::read(file, &source, self.modules.declared(file));
        let module = Rc::new(Module { source, facts });
        self.read.insert(file.to_owned(), module.clone());
        Ok(module)
    }

    fn is_common_js(&mut self, file: &Path) -> bool {
        self.module(file).is_ok_and(|it| it.facts.as_ref().is_ok_and(|facts| facts.is_common_js))
    }

    /// The target of an import, or an error, which has no place if that is the import's.
    fn target(&self, from: &Path, import: &Import) -> Result<Target, Diagnostic> {
        let specifier = import.specifier.as_str();
        let failed = |why: &str, help: Option<String>| {
            Diagnostic::new(format!("cannot import \"{specifier}\": {why}")).with_help(help)
        };
        let web = ["http:", "https:", "data:", "blob:"];
        if self.is_for_browsers && web.iter().any(|scheme| specifier.starts_with(scheme)) {
            return Ok(Target::Elsewhere);
        }
        let Ok(referrer) = ModuleSpecifier::from_file_path(from) else { return Ok(Target::Elsewhere) };
        if import.form.is_require() {
            return self.required(from, specifier);
        }
        let url = self
            .modules
            .resolve(specifier, referrer.as_str())
            .map_err(|error| self.unresolved(from, specifier, error))?;
        if url.scheme() == "liveline" {
            return match modules::own_source(&url) {
                Some((_, source)) => Ok(Target::Own(source)),
                None if modules::provided_source(&url).is_some() => Ok(Target::Elsewhere),
                None => {
                    let near = nearest(specifier, modules::own_names());
                    let help = near.map(|name| format!("did you mean \"{name}\"?"));
                    Err(failed("the host has no module of this name", help))
                }
            };
        }
        let Ok(file) = url.to_file_path() else { return Ok(Target::Elsewhere) };
        if let Some(real) = other_capitals(&file) {
            let help = format!("write it as \"{}\"", specifier_of(from, &real));
            return Err(failed(
                "the file's name differs in case, which matters on other systems",
                Some(help),
            ));
        }
        let file = file.canonicalize().unwrap_or(file);
        let extension = file.extension().and_then(|extension| extension.to_str());
        match (&import.attribute, extension) {
            (Attribute::Data, _) => Ok(Target::Data),
            (Attribute::None, _) if self.modules.kind_of(&file).is_some() => Ok(Target::Data),
            (Attribute::Unknown(kind), _) => Err(failed(&facts::unknown_kind(kind), None)),
            (Attribute::None, Some("json")) if !self.is_for_browsers => {
                let help = format!("write import ... from \"{specifier}\" with {{ type: \"json\" }}");
                Err(failed(facts::JSON_NEEDS_TYPE, Some(help)))
            }
            (Attribute::Json, _) | (_, Some("json")) => Ok(Target::Data),
            (Attribute::Hidden, _) | (_, Some("wasm")) => Ok(Target::Elsewhere),
            (Attribute::Source, _) => Err(failed("`import source` is for WebAssembly only", None)),
            (Attribute::None, _) => Ok(Target::File(file)),
        }
    }

    /// The error of an import that cannot be resolved.
    fn unresolved(&self, from: &Path, specifier: &str, error: ResolveError) -> Diagnostic {
        let help = match &error {
            ResolveError::Config(diagnostic) => return (**diagnostic).clone(),
            ResolveError::Missing { missing: Missing::File(file) | Missing::Mapped { file, .. }, .. } => {
                self.help_for_file(from, file)
            }
            ResolveError::Missing { .. } => None,
            error => {
                let near = self.help_for_package(from.parent().map(Path::to_owned), specifier);
                near.or_else(|| error.help().map(str::to_owned))
            }
        };
        // The diagnostic's place names the file already.
        let from = format!(" from {}", from.display());
        Diagnostic::new(error.to_string().replacen(&from, "", 1)).with_help(help)
    }

    /// The target of a `require()`, or an error, which has no place.
    fn required(&self, from: &Path, specifier: &str) -> Result<Target, Diagnostic> {
        let failed = |why: &str, help: Option<String>| {
            Diagnostic::new(format!("cannot require \"{specifier}\": {why}")).with_help(help)
        };
        if let Some(name) = self.modules.of_node(specifier) {
            return name.map(|_| Target::Elsewhere).map_err(|(reason, help)| failed(&reason, help));
        }
        match self.modules.required(specifier, from) {
            Some(file) => Ok(Target::File(file)),
            None if specifier.starts_with(['.', '/']) => {
                let missing = from.parent().unwrap_or(from).join(specifier);
                Err(failed("there is no such file", self.help_for_file(from, &missing)))
            }
            None => {
                let missing = packages::missing(specifier, from);
                let (reason, help) = missing.unwrap_or_else(|| ("it is not found".to_owned(), None));
                let near = self.help_for_package(from.parent().map(Path::to_owned), specifier);
                Err(failed(&reason, near.or(help)))
            }
        }
    }

    fn missing_names(
        &mut self,
        from: &Path,
        source: &str,
        import: &Import,
        target: &Target,
    ) -> Vec<Diagnostic> {
        if import.names.is_empty() || matches!(target, Target::Elsewhere) {
            return Vec::new();
        }
        let exported = self.names(target, &mut HashSet::new());
        if exported.is_open {
            return Vec::new();
        }
        let is_common_js = matches!(target, Target::File(file) if self.is_common_js(file));
        let has_types =
            matches!(from.extension().and_then(|it| it.to_str()), Some("ts" | "mts" | "cts" | "tsx"));
        let is_there =
            |name: &str| exported.names.contains(name) || (has_types && exported.types.contains(name));
        let missing = import.names.iter().filter(|(name, _)| !is_there(name));
        let describe = |(name, at): &(String, usize)| {
            let (line, column) = line_and_column(source, *at);
            let specifier = &import.specifier;
            let message = match name.as_str() {
                "default" => format!("\"{specifier}\" has no default export"),
                name => format!("\"{specifier}\" exports nothing called `{name}`"),
            };
            let help = help_for_name(name, &exported.names);
            let whole = || {
                format!(
                    "it is CommonJS, whose text does not show that name: import its default, and read `{name}` of that"
                )
            };
            let is_meant = help.as_ref().is_some_and(|help| help.starts_with("did you mean"));
            let help = if is_common_js && !is_meant { Some(whole()) } else { help };
            Diagnostic::at(message, from, line, column).with_help(help)
        };
        missing.map(describe).collect()
    }

    /// Every name that a module exports.
    fn names(&mut self, target: &Target, seen: &mut HashSet<PathBuf>) -> Names {
        let closed = || Names { names: BTreeSet::new(), types: BTreeSet::new(), is_open: false };
        let open = || Names { is_open: true, ..closed() };
        let (file, own);
        let (facts, from) = match target {
            Target::Elsewhere => return open(),
            Target::Data => return Names { names: BTreeSet::from(["default".to_owned()]), ..closed() },
            Target::Own(source) => {
                let Ok(facts) = facts::read(Path::new("/own.js"), source, Declared::Module) else {
                    return open();
                };
                own = facts;
                (&own, None)
            }
            Target::File(path) => {
                if !seen.insert(path.clone()) {
                    return closed();
                }
                let Ok(module) = self.module(path) else { return open() };
                file = module;
                let Ok(facts) = &file.facts else { return open() };
                (facts, Some(path))
            }
        };
        let (types, names): (Vec<_>, Vec<_>) =
            facts.exports.iter().partition(|(_, export)| export.kind == Kind::Type);
        let owned = |list: Vec<(&String, &Export)>| list.into_iter().map(|(name, _)| name.clone()).collect();
        let mut all = Names { names: owned(names), types: owned(types), is_open: false };
        for star in facts.imports.iter().filter(|import| import.form.is_star()) {
            let Some(Ok(target)) = from.map(|from| self.target(from, star)) else {
                all.is_open = true;
                continue;
            };
            let more = self.names(&target, seen);
            all.is_open |= more.is_open;
            // `export *` does not export the default.
            all.names.extend(more.names.into_iter().filter(|name| name != "default"));
            all.types.extend(more.types);
        }
        all
    }

    fn kind_of(&mut self, file: &Path, name: &str, seen: &mut HashSet<(PathBuf, String)>) -> Kind {
        if !seen.insert((file.to_owned(), name.to_owned())) {
            return Kind::Unknown;
        }
        let Ok(module) = self.module(file) else { return Kind::Unknown };
        let Ok(facts) = &module.facts else { return Kind::Unknown };
        match facts.exports.get(name).map(|export| &export.kind) {
            Some(Kind::From(index, name)) => match self.target(file, &facts.imports[*index]) {
                Ok(Target::File(target)) => self.kind_of(&target, name, seen),
                _ => Kind::Unknown,
            },
            Some(kind) => kind.clone(),
            None => {
                for star in facts.imports.iter().filter(|import| import.form.is_star()) {
                    let Ok(Target::File(target)) = self.target(file, star) else { continue };
                    if self.exports(&target).contains(name) {
                        return self.kind_of(&target, name, seen);
                    }
                }
                Kind::Unknown
            }
        }
    }

    /// A suggestion for a path that leads to no file: a file that was probably meant.
    fn help_for_file(&self, from: &Path, missing: &Path) -> Option<String> {
        let meant = |file: &Path| format!("did you mean \"{}\"?", specifier_of(from, file));
        if let Some(file) = nearest_file(missing) {
            return Some(meant(&file));
        }
        // A file of the same name in a folder above, or in a folder beside one of those.
        let name = missing.file_name()?;
        let above = from.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.project));
        let beside = above.flat_map(|folder| {
            let folders = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            let folders = folders.filter(|path| path.is_dir() && !packages::holds(path));
            std::iter::once(folder.to_owned()).chain(folders).collect::<Vec<_>>()
        });
        beside.filter_map(|folder| same_file(&folder, name)).next().map(|file| meant(&file))
    }

    fn help_for_package(&self, folder: Option<PathBuf>, specifier: &str) -> Option<String> {
        if ["http:", "https:", "node:", ".", "/"].iter().any(|start| specifier.starts_with(start)) {
            return None;
        }
        let near = nearest(specifier, modules::own_names());
        if let Some(name) = near {
            return Some(format!("did you mean \"{name}\"?"));
        }
        if let Some(folder) = folder {
            let file = folder.join(specifier);
            let file = if file.is_file() { Some(file) } else { nearest_file(&file) };
            if let Some(file) = file {
                let path = file.strip_prefix(&folder).ok()?.display().to_string();
                return Some(format!("did you mean the file \"./{path}\"?"));
            }
        }
        None
    }
}

fn is_same_syntax_error(fault: &Diagnostic, reported: &Diagnostic) -> bool {
    let is_syntax = |it: &Diagnostic| it.message.starts_with("SyntaxError");
    let line = |it: &Diagnostic| it.place.as_ref().map(|place| (place.file.clone(), place.line));
    is_syntax(fault) && is_syntax(reported) && line(fault) == line(reported)
}

fn help_for_name(name: &str, exported: &BTreeSet<String>) -> Option<String> {
    let others = || exported.iter().map(String::as_str).filter(|name| *name != "default");
    if let Some(near) = nearest(name, others()).filter(|_| name != "default") {
        return Some(format!("did you mean `{near}`?"));
    }
    let list: Vec<_> = others().take(8).map(|name| format!("`{name}`")).collect();
    match (list.is_empty(), exported.contains("default")) {
        (true, true) => Some("it has a default export: import it without braces".to_owned()),
        (true, false) => Some("it exports nothing".to_owned()),
        (false, _) if name == "default" => {
            Some(format!("import in braces what it exports: {}", list.join(", ")))
        }
        (false, _) => Some(format!("it exports {}", list.join(", "))),
    }
}

/// Whether a file's name is that of a module.
fn is_code(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|it| {
        ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "json"].contains(&it) && !name.contains(".d.")
    })
}

/// The name without its extension, in lower case.
fn stem(name: &str) -> Option<String> {
    Some(Path::new(name).file_stem()?.to_str()?.to_lowercase())
}

/// The file of this name in a folder; for a name without an extension, a module that has it before its extension.
fn same_file(folder: &Path, name: &OsStr) -> Option<PathBuf> {
    let file = folder.join(name);
    if file.is_file() {
        return Some(file);
    }
    let name = name.to_str().filter(|name| !name.contains('.'))?;
    names_in(folder)?
        .into_iter()
        .find(|other| is_code(other) && stem(other) == stem(name))
        .map(|it| folder.join(it))
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Some(names)
}

/// The existing file that is most like a path: in another case, with another extension, or with a similar name.
fn nearest_file(missing: &Path) -> Option<PathBuf> {
    let (folder, name) = (missing.parent()?, missing.file_name()?.to_str()?);
    let Some(names) = names_in(folder) else {
        // The name of the folder may be misspelt.
        let folder = nearest_file(folder).filter(|folder| folder.is_dir())?;
        let file = folder.join(name);
        return if file.is_file() { Some(file) } else { nearest_file(&file) };
    };
    let names = || names.iter().map(String::as_str);
    let same = |other: &&str| other.to_lowercase() == name.to_lowercase();
    let same_stem = |other: &&str| {
        is_code(other) && (stem(other) == stem(name) || stem(other) == Some(name.to_lowercase()))
    };
    let near_stem = || {
        // An import without an extension is compared with names without theirs.
        let code = names().filter(|other| is_code(other) && !name.contains('.'));
        let stems: Vec<_> =
            code.filter_map(|other| Some((Path::new(other).file_stem()?.to_str()?, other))).collect();
        let near = nearest(name, stems.iter().map(|(stem, _)| *stem))?;
        stems.iter().find(|(stem, _)| *stem == near).map(|(_, other)| *other)
    };
    let found = names()
        .find(same)
        .or_else(|| names().find(same_stem))
        .or_else(|| nearest(name, names()))
        .or_else(near_stem);
    found.map(|name| folder.join(name))
}

/// The name of a file on the disk, if it differs in case. Some file systems ignore the case.
fn other_capitals(file: &Path) -> Option<PathBuf> {
    let (folder, name) = (file.parent()?, file.file_name()?);
    let mut names = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let mut near = None;
    if names.any(|other| {
        if other.eq_ignore_ascii_case(name) && other != name {
            near = Some(other.clone());
        }
        other == name
    }) {
        return None;
    }
    near.map(|name| folder.join(name))
}

/// The relative specifier of `file` for imports in the file `from`: `./a.js`, `../b/c.js`.
fn specifier_of(from: &Path, file: &Path) -> String {
    let folder = from.parent().unwrap_or(from);
    let shared = folder.iter().zip(file.iter()).take_while(|(a, b)| a == b).count();
    let up = folder.iter().count() - shared;
    let rest: Vec<_> = file.iter().skip(shared).map(|name| name.to_string_lossy()).collect();
    let up = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    format!("{up}{}", rest.join("/"))
}
