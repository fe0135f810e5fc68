//! The settings of TypeScript and JSX: `tsconfig.json`, `jsconfig.json` and the fields of `package.json`.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use liveline_compiler::jsx::Jsx;
use liveline_compiler::transpile::{Decorators, Options};
use liveline_compiler::{Diagnostic, relative};
use oxc_resolver::{
    CompilerOptions, FileMetadata, FileSystem, FileSystemOs, ResolveError, ResolveOptions, ResolverGeneric,
    TsConfig, TsconfigDiscovery,
};

use crate::ext::packages;

/// The names of files with settings. The first one that a folder has counts.
const NAMES: [&str; 2] = ["tsconfig.json", "jsconfig.json"];

/// Finds the settings of files. A file has those of the nearest folder above it, up to the project's.
pub(super) struct Configs {
    project: PathBuf,
    reader: ResolverGeneric<Reads>,
    /// The file with the settings for each folder.
    nearest: RefCell<HashMap<PathBuf, Option<PathBuf>>>,
    /// The files that were read, and those that would have been, had they been there.
    files: Paths,
    /// The packages that settings extend and that are not installed.
    absent: Paths,
}

type Paths = Arc<Mutex<BTreeSet<PathBuf>>>;

impl Configs {
    /// For the project in this folder.
    pub(super) fn of(project: &Path) -> Configs {
        let (files, absent) = (Paths::default(), Paths::default());
        let options = ResolveOptions { tsconfig: Some(TsconfigDiscovery::Auto), ..ResolveOptions::default() };
        let reads = Reads { system: FileSystemOs::new(), files: files.clone(), absent: absent.clone() };
        let reader = ResolverGeneric::new_with_file_system(reads, options);
        Configs { project: project.to_owned(), reader, nearest: RefCell::default(), files, absent }
    }

    /// Every file whose change, or whose making, may change settings.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        lock(&self.files).clone()
    }

    /// The settings of a file.
    pub(super) fn config_of(&self, file: &Path) -> Result<Option<Arc<TsConfig>>, Diagnostic> {
        let Some(path) = file.parent().and_then(|folder| self.nearest(folder)) else { return Ok(None) };
        let config = loop {
            match self.reader.resolve_tsconfig(&path) {
                Ok(config) => break config,
                // Where only the packages are installed that run, those that settings extend may be missing.
                Err(ResolveError::TsconfigNotFound(missing))
                    if !missing.is_absolute() && lock(&self.absent).insert(missing.clone()) =>
                {
                    warn_of_absent(&path, &missing);
                }
                Err(error) => {
                    if let ResolveError::TsconfigNotFound(missing) = &error {
                        lock(&self.files).insert(missing.clone());
                    }
                    return Err(failure(&path, error));
                }
            }
        };
        if config.references_resolved.is_empty() {
            return Ok(Some(config));
        }
        // The first referenced project that includes the file; a file of JavaScript belongs to the project that would
        // include it, were it TypeScript.
        let candidates = [file.to_owned(), file.with_extension("ts")];
        let owner = candidates.iter().find_map(|file| self.reader.find_tsconfig(file).ok().flatten());
        let is_referenced =
            |owner: &Arc<TsConfig>| config.references_resolved.iter().any(|it| it.path() == owner.path());
        Ok(Some(owner.filter(is_referenced).unwrap_or(config)))
    }

    /// How a file is compiled. `may_have_jsx` is set for plain files of JavaScript that may have JSX; `installed`
    /// returns the installed package that makes JSX elements.
    pub(super) fn options_of(
        &self,
        file: &Path,
        may_have_jsx: bool,
        installed: impl FnOnce() -> Option<&'static str>,
    ) -> Result<Options, Diagnostic> {
        let config = self.config_of(file)?;
        let set = config.as_deref().map(|config| &config.compiler_options);
        let is_set = |read: fn(&CompilerOptions) -> Option<bool>| set.and_then(read) == Some(true);
        let has_jsx = may_have_jsx
            || file.extension().is_some_and(|extension| extension == "tsx" || extension == "jsx");
        Ok(Options {
            jsx: if has_jsx { self.jsx(set, installed) } else { Jsx::Undecided },
            decorators: match is_set(|it| it.experimental_decorators) {
                true => Decorators::Legacy { metadata: is_set(|it| it.emit_decorator_metadata) },
                false => Decorators::Standard,
            },
            keeps_imports: is_set(|it| it.verbatim_module_syntax) || is_set(|it| it.preserve_value_imports),
            defines_fields: set.is_none_or(defines_fields),
        })
    }

    fn jsx(&self, set: Option<&CompilerOptions>, installed: impl FnOnce() -> Option<&'static str>) -> Jsx {
        let of_config = set.map(JsxFields::of).unwrap_or_default();
        let decided = of_config.decide().or_else(|| self.fields_of_package().decide());
        match decided {
            Some(Decided::By(jsx)) => jsx,
            // Without a package in the settings TypeScript takes React.
            Some(Decided::ByInstalledPackage) => Jsx::Automatic(installed().unwrap_or("react").to_owned()),
            None => installed().map_or(Jsx::Undecided, |package| Jsx::Automatic(package.to_owned())),
        }
    }

    fn fields_of_package(&self) -> JsxFields {
        let path = self.project.join("package.json");
        let text = fs::read(&path).unwrap_or_default();
        lock(&self.files).insert(path);
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn nearest(&self, folder: &Path) -> Option<PathBuf> {
        if let Some(found) = self.nearest.borrow().get(folder) {
            return found.clone();
        }
        if packages::holds(folder) {
            return None;
        }
        let found = self.own_of(folder).or_else(|| match self.is_root(folder) {
            true => None,
            false => self.nearest(folder.parent()?),
        });
        self.nearest.borrow_mut().insert(folder.to_owned(), found.clone());
        found
    }

    fn own_of(&self, folder: &Path) -> Option<PathBuf> {
        let candidates = NAMES.map(|name| folder.join(name));
        lock(&self.files).extend(candidates.iter().cloned());
        candidates.into_iter().find(|path| path.is_file())
    }

    /// Whether a folder is the project's, or that of a package that is linked into the project.
    fn is_root(&self, folder: &Path) -> bool {
        folder == self.project
            || (!folder.starts_with(&self.project) && folder.join("package.json").is_file())
    }
}

/// Whether a field without a value is a property: the setting, else what follows from the version of JavaScript that
/// TypeScript is to write.
fn defines_fields(set: &CompilerOptions) -> bool {
    const BEFORE_FIELDS: [&str; 10] =
        ["es3", "es5", "es6", "es2015", "es2016", "es2017", "es2018", "es2019", "es2020", "es2021"];
    let target = set.target.as_deref().unwrap_or_default().to_ascii_lowercase();
    set.use_define_for_class_fields.unwrap_or(!BEFORE_FIELDS.contains(&target.as_str()))
}

/// Settings of JSX, as TypeScript names them.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsxFields {
    jsx: Option<String>,
    jsx_import_source: Option<String>,
    jsx_factory: Option<String>,
    jsx_fragment_factory: Option<String>,
}

enum Decided {
    By(Jsx),
    ByInstalledPackage,
}

impl JsxFields {
    fn of(set: &CompilerOptions) -> JsxFields {
        JsxFields {
            jsx: set.jsx.clone(),
            jsx_import_source: set.jsx_import_source.clone(),
            jsx_factory: set.jsx_factory.clone(),
            jsx_fragment_factory: set.jsx_fragment_factory.clone(),
        }
    }

    /// What the fields decide. `preserve` and `react-native` leave JSX to other programs, and decide nothing.
    fn decide(self) -> Option<Decided> {
        let is_classic = self.jsx_factory.is_some() || self.jsx_fragment_factory.is_some();
        match (self.jsx_import_source, self.jsx.as_deref()) {
            (Some(package), _) => Some(Decided::By(Jsx::Automatic(package))),
            (None, Some("react-jsx" | "react-jsxdev")) => Some(Decided::ByInstalledPackage),
            (None, jsx) if is_classic || jsx == Some("react") => {
                Some(Decided::By(Jsx::classic(self.jsx_factory, self.jsx_fragment_factory)))
            }
            _ => None,
        }
    }
}

/// The error of settings that cannot be read, which `path` has or names.
fn failure(path: &Path, error: ResolveError) -> Diagnostic {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match error {
        ResolveError::TsconfigLoadFailed { path, source } => match *source {
            ResolveError::Json(error) => {
                let message = error.message.split(" at line ").next().unwrap_or_default();
                let message = format!("{} is not valid: {message}", name(&path));
                Diagnostic::at(message, path, error.line.max(1), error.column.max(1))
            }
            error => Diagnostic::new(format!("cannot read {}: {error}", path.display())),
        },
        ResolveError::TsconfigNotFound(missing) => {
            let shown = relative(&missing).display().to_string();
            let message = format!("{} extends {shown}, which is not there", name(path));
            let text = fs::read_to_string(path).unwrap_or_default();
            let end = format!("{}\"", name(&missing));
            let start_of = |text: &str| Some(text[..text.find(&end)?].rfind('"')? + 1);
            let place = text.lines().zip(1..).find_map(|(text, line)| Some((line, start_of(text)?)));
            let (line, column) = place.unwrap_or((1, 1));
            Diagnostic::at(message, path, line, column)
        }
        error => Diagnostic::at(format!("cannot read {}: {error}", name(path)), path, 1, 1),
    }
}

/// Warns, once for each package, that settings are used without those of a package that they extend.
fn warn_of_absent(path: &Path, package: &Path) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(package.to_owned()) {
        let (path, package) = (relative(path).display(), package.display());
        tracing::warn!("{path} extends {package}, which is not installed, and is used without its settings");
    }
}

/// The file without settings that stands for the files of packages that are not installed.
const EMPTY: &str = "/liveline/empty.json";

/// The files of the system, with [`EMPTY`]; records which files with settings are read.
struct Reads {
    system: FileSystemOs,
    files: Paths,
    absent: Paths,
}

impl FileSystem for Reads {
    fn new() -> Reads {
        Reads { system: FileSystemOs::new(), files: Paths::default(), absent: Paths::default() }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.system.read(path)
    }

    fn read_to_string(&self, path: &Path) -> io::Result<String> {
        if path == Path::new(EMPTY) {
            return Ok("{}".to_owned());
        }
        lock(&self.files).insert(path.to_owned());
        let text = fs::read_to_string(path)?;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        Ok(lock(&self.absent)
            .iter()
            .fold(text, |text, package| text.replace(&quoted(&package.to_string_lossy()), &quoted(EMPTY))))
    }

    fn metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        FileSystem::metadata(&self.system, path)
    }

    fn symlink_metadata(&self, path: &Path) -> io::Result<FileMetadata> {
        match path == Path::new(EMPTY) {
            true => Ok(FileMetadata::new(true, false, false)),
            false => FileSystem::symlink_metadata(&self.system, path),
        }
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, ResolveError> {
        FileSystem::read_link(&self.system, path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.system.canonicalize(path)
    }
}

fn lock(paths: &Paths) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    paths.lock().unwrap_or_else(PoisonError::into_inner)
}
