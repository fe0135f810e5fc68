//! The modules of client and worker handlers: which files are served, and the URLs of their imports.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::asset::Asset;
use super::data::{self, Data};
use super::origins::Source;
use super::resolver::{Resolver, Target};
use crate::dialect;
use crate::router::Layout;
use liveline_compiler::Diagnostic;
use liveline_compiler::common_js::{self, Declared};
use liveline_compiler::transpile::{self, Import};

/// The path of modules.
pub(super) const FOLDER: &str = "/.liveline/client/";

/// Folders below [`FOLDER`]: the host's own modules, files of packages, and files outside of the routes folder to which
/// links in it lead.
const OWN: &str = "@liveline";
const PACKAGES: &str = "@packages";
const LINKED: &str = "@linked";

/// The characters that a URL's path encodes.
const PATH: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');

/// Modules by their place below [`FOLDER`].
pub(super) type Assets = BTreeMap<String, Asset>;

/// The files that each file imports.
pub(super) type Imports = HashMap<PathBuf, Vec<PathBuf>>;

/// Finds and compiles the modules of one generation, starting at the handlers.
pub(super) struct ClientModules<'a> {
    layout: &'a Layout,
    resolver: Resolver,
    /// The place of each file, below [`FOLDER`].
    places: HashMap<PathBuf, String>,
    waiting: VecDeque<PathBuf>,
    assets: Assets,
    failures: Vec<Diagnostic>,
    imports: Imports,
}

impl<'a> ClientModules<'a> {
    pub(super) fn new(layout: &'a Layout) -> ClientModules<'a> {
        ClientModules {
            layout,
            resolver: Resolver::of(&layout.project),
            places: HashMap::new(),
            waiting: VecDeque::new(),
            assets: BTreeMap::new(),
            failures: Vec::new(),
            imports: Imports::new(),
        }
    }

    /// Adds a handler and what it imports, and returns the handler's URL. A handler outside of the project is an error.
    pub(super) fn add_handler(&mut self, file: &Path) -> String {
        if let Err(refusal) = self.resolver.check(file) {
            self.failures.push(refusal);
            return String::new();
        }
        let url = self.url_of(file);
        while let Some(file) = self.waiting.pop_front() {
            if let Err(diagnostic) = self.compile(&file) {
                self.failures.push(diagnostic);
            }
        }
        url
    }

    /// The modules by their place, or all errors; and the imports of every file that was read.
    pub(super) fn finish(mut self) -> (Result<Assets, Vec<Diagnostic>>, Imports) {
        let assets = if self.failures.is_empty() { Ok(self.assets) } else { Err(self.failures) };
        for file in self.places.into_keys().chain(self.resolver.configs()) {
            self.imports.entry(file).or_default();
        }
        (assets, self.imports)
    }

    fn compile(&mut self, file: &Path) -> Result<(), Diagnostic> {
        let source = std::fs::read_to_string(file)
            .map_err(|error| Diagnostic::new(format!("cannot read {}: {error}", file.display())))?;
        let place = self.places[file].clone();
        if file.extension().is_some_and(|extension| extension == "json") {
            self.assets.insert(place, Asset::json(source));
            return Ok(());
        }
        if common_js::exports(file, &source, Declared::Nothing).is_some() {
            let file = file.display();
            return Err(Diagnostic::new(format!("{file} is CommonJS, and browsers import ES modules")));
        }
        let transpile::Script { mut code, source_map: map } =
            transpile::script(file, source, || self.resolver.options_of(file))?;
        let imports = transpile::imports(file, &code)?;
        // From the end, so that the ranges before stay valid.
        for import in imports.iter().rev() {
            if let Some((url, data)) = self.target_of(import, file)? {
                // A script in place of the data has no attributes, and runs.
                let range = match (data, &import.typed) {
                    (Some(_), Some((_, range))) => range.clone(),
                    _ => import.range.clone(),
                };
                code.replace_range(range, &serde_json::Value::from(url).to_string());
                if let (Some(_), Some(range)) = (data, &import.source_phase) {
                    code.replace_range(range.clone(), "import ");
                }
            }
        }
        let source = Source { file: file.to_owned(), map };
        self.assets.insert(place, Asset::script(code).made_of(source));
        Ok(())
    }

    /// The URL of an import of `file`, and what the import is, unless it is a module; `None` if the specifier stays as it
    /// is written.
    fn target_of(
        &mut self,
        import: &Import,
        file: &Path,
    ) -> Result<Option<(String, Option<Data>)>, Diagnostic> {
        let specifier = import.specifier.as_str();
        match self.resolver.resolve(specifier, file)? {
            Target::Url => Ok(None),
            Target::Own(name, source) => {
                let place = own_place(name);
                let url = url(&place);
                self.assets.entry(place).or_insert_with(|| Asset::script(source));
                Ok(Some((url, None)))
            }
            Target::File(target) => {
                let target = target.canonicalize().unwrap_or(target);
                let data = Data::of(import, &target);
                if let Some(reason) = self.refusal(&target, data) {
                    let message = format!("cannot import \"{specifier}\": {reason}");
                    return Err(Diagnostic::at_import(message, file, specifier));
                }
                let url = match data {
                    None => self.url_of(&target),
                    Some(data) => self.url_of_data(&target, data)?,
                };
                self.imports.entry(file.to_owned()).or_default().push(target);
                Ok(Some((url, data)))
            }
        }
    }

    /// The URL of the script that exports a file.
    fn url_of_data(&mut self, file: &Path, data: Data) -> Result<String, Diagnostic> {
        let place = self.place_for(file);
        let script_place = data.place(&place);
        let script_url = url(&script_place);
        if self.assets.contains_key(&script_place) {
            return Ok(script_url);
        }
        let bytes = std::fs::read(file)
            .map_err(|error| Diagnostic::new(format!("cannot read {}: {error}", file.display())))?;
        self.imports.entry(file.to_owned()).or_default();
        // A module of WebAssembly may import itself, by way of others.
        self.assets.insert(script_place.clone(), Asset::script(""));
        let script = match data {
            Data::Text => data::text(&bytes),
            Data::Bytes => data::bytes(&bytes),
            Data::Module => data::module(&url(&place)),
            Data::Instance => {
                let resolve = |specifier: &str| {
                    let (typed, source_phase) = (None, None);
                    let import = Import { specifier: specifier.to_owned(), range: 0..0, typed, source_phase };
                    let target = self.target_of(&import, file)?;
                    Ok(target.map_or_else(|| specifier.to_owned(), |(url, _)| url))
                };
                data::instance(&bytes, &url(&place), resolve)?.ok_or_else(|| {
                    Diagnostic::new(format!("{} is no module of WebAssembly", file.display()))
                })?
            }
        };
        if matches!(data, Data::Module | Data::Instance) {
            self.assets.insert(place, Asset::wasm(bytes));
        }
        self.assets.insert(script_place, Asset::script(script));
        Ok(script_url)
    }

    /// Why a file is not served to browsers, if it is not.
    fn refusal(&self, file: &Path, data: Option<Data>) -> Option<String> {
        if dialect::is_private(file) {
            return Some("it is a handler of the server, whose source no browser gets".to_owned());
        }
        if !is_in_package(file) && !file.starts_with(&self.layout.routes) {
            let routes = self.layout.routes.display();
            return Some(format!("{} is outside of {routes}, so no browser gets it", file.display()));
        }
        let known = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx", "json"];
        let extension = file.extension().unwrap_or_default();
        let is_module = data.is_some() || known.iter().any(|known| extension == *known);
        (!is_module).then(|| "it is no JavaScript module".to_owned())
    }

    fn url_of(&mut self, file: &Path) -> String {
        if let Some(place) = self.places.get(file) {
            return url(place);
        }
        let place = self.place_for(file);
        let url = url(&place);
        self.places.insert(file.to_owned(), place);
        self.waiting.push_back(file.to_owned());
        url
    }

    fn place_for(&self, file: &Path) -> String {
        let below = |folder: &str, path: &Path| format!("{folder}/{}", shown(path));
        if is_in_package(file) {
            let names = file.iter().skip_while(|name| *name != "node_modules").skip(1);
            return below(PACKAGES, &names.collect::<PathBuf>());
        }
        match file.strip_prefix(&self.layout.routes) {
            Ok(path) => shown(path),
            // The number distinguishes files of one name.
            Err(_) => {
                let name = file.file_name().unwrap_or_default();
                below(LINKED, &Path::new(&self.places.len().to_string()).join(name))
            }
        }
    }
}

/// The place of one of the host's own modules, below [`FOLDER`].
pub(super) fn own_place(name: &str) -> String {
    format!("{OWN}/{name}.js")
}

/// A path of a URL, decoded.
pub(super) fn decoded(path: &str) -> Option<String> {
    percent_decode_str(path).decode_utf8().ok().map(String::from)
}

fn url(place: &str) -> String {
    format!("{FOLDER}{}", utf8_percent_encode(place, &PATH))
}

/// A path with `/` between its names, on every system.
fn shown(path: &Path) -> String {
    let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
    names.join("/")
}

fn is_in_package(file: &Path) -> bool {
    file.iter().any(|name| name == "node_modules")
}
