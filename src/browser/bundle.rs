//! Makes one script of the files in `runtime-js/` that browsers run.
//!
//! Each file becomes a function that returns its exports; files that import each other share one. This reads text, not
//! syntax: it relies on the house style, in which a top-level `import` or `export` begins a line.

use std::collections::BTreeSet;
use std::sync::LazyLock;

macro_rules! sources {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/", $file)))),*]
    };
}

/// The files that browsers run, with their sources.
const SOURCES: &[(&str, &str)] = sources![
    "primordials.js",
    "answer/values.js",
    "async_map.js",
    "client/app.js",
    "client/binding.js",
    "client/channel.js",
    "client/classic.js",
    "client/device.js",
    "client/dialogs.js",
    "client/documents.js",
    "client/downstream.js",
    "client/event.js",
    "client/events.js",
    "client/forms.js",
    "client/handlers.js",
    "client/history.js",
    "client/hub.js",
    "client/later.js",
    "client/live.js",
    "client/local_ports.js",
    "client/mending.js",
    "client/navigation.js",
    "client/pages.js",
    "client/parts.js",
    "client/redirects.js",
    "client/resume.js",
    "client/session.js",
    "client/sockets.js",
    "client/state.js",
    "client/status.js",
    "client/steps.js",
    "client/storage.js",
    "client/transport.js",
    "client/user.js",
    "client/worker.js",
    "cookies/rules.js",
    "dispatch/routing.js",
    "dispatch/steps.js",
    "errors/absent.js",
    "errors/exceptions.js",
    "errors/options.js",
    "event/base.js",
    "event/url.js",
    "fetch/fetch_plus.js",
    "form/nested_keys.js",
    "live/blocks.js",
    "live/live.js",
    "live_response/frame.js",
    "live_response/live_response.js",
    "live_response/states.js",
    "observer/observer.js",
    "observer/reactive.js",
    "page/binding.js",
    "page/expressions.js",
    "page/imports.js",
    "port/deltas.js",
    "port/dialogs.js",
    "port/frames.js",
    "port/port.js",
    "port/relay.js",
    "port/remote_port.js",
];

/// Functions of these files that only the host calls: browsers do not get them.
const HOST_ONLY: [&str; 8] = [
    "countRegistrations",
    "encodeFrame",
    "findCulprit",
    "programsStopped",
    "setBackground",
    "setProgramOwner",
    "takeOpen",
    "templateNamed",
];

/// The file that names built-ins. It is in no bundle: the toolchain knows what its names mean.
const NAMES: &str = "primordials.js";

/// A script made of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bundle {
    /// The page's app: a function of the manifest.
    App,
    /// A part of the app that not every page needs: a function of the files of the app that parts share.
    Part(&'static str),
    /// The service worker's runtime: a function of the handlers.
    Worker,
}

impl Bundle {
    /// The parts, with the names by which the app asks for them.
    pub(super) const PARTS: [Bundle; 12] = [
        Bundle::Part("binding"),
        Bundle::Part("classic"),
        Bundle::Part("device"),
        Bundle::Part("dialogs"),
        Bundle::Part("events"),
        Bundle::Part("forms"),
        Bundle::Part("handlers"),
        Bundle::Part("later"),
        Bundle::Part("live"),
        Bundle::Part("session"),
        Bundle::Part("sockets"),
        Bundle::Part("user"),
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Bundle::App => "app",
            Bundle::Part(name) => name,
            Bundle::Worker => "worker",
        }
    }

    fn entry(self) -> String {
        format!("client/{}.js", self.name())
    }

    /// The bundle as an expression whose value is that function.
    pub(super) fn script(self) -> String {
        let entry = self.entry();
        let groups = self.groups();
        let body: String = groups.iter().map(|group| function_of(group)).collect();
        let (parameters, result) = match self {
            Bundle::App => {
                // A file may be loaded only once, or its state would be there twice.
                let shared: Vec<_> = shared_files().into_iter().map(variable).collect();
                let load = format!(
                    "(part, query) => import(`{PARTS_FOLDER}${{part}}.js${{query}}`).then((module) => module.default({}))",
                    shared.join(", ")
                );
                (
                    String::new(),
                    format!("(manifest) => {}(manifest, {load})", Module::named(&entry).member("start")),
                )
            }
            Bundle::Part(_) => {
                let shared: Vec<_> = shared_files().into_iter().map(variable).collect();
                (shared.join(", "), object_of(&Module::named(&entry)))
            }
            Bundle::Worker => (String::new(), Module::named(&entry).member("start")),
        };
        match self {
            // A module is strict already.
            Bundle::Part(_) => format!("(({parameters}) => {{\n{body}return {result};\n}})"),
            _ => format!("(() => {{\n\"use strict\";\n{body}return {result};\n}})()"),
        }
    }

    fn groups(self) -> Vec<Vec<Module>> {
        let mut bundler = Bundler::default();
        if let Bundle::Part(_) = self {
            bundler.seen.extend(app_files());
        }
        bundler.visit(&self.entry());
        bundler.groups
    }
}

/// Where the app finds its parts.
pub(super) const PARTS_FOLDER: &str = "/.liveline/app/";

/// The files of the app that parts import.
fn shared_files() -> BTreeSet<&'static str> {
    let modules = Bundle::PARTS.into_iter().flat_map(Bundle::groups).flatten();
    let imports: BTreeSet<_> = modules.flat_map(|module| module.imports).map(|import| import.from).collect();
    app_files().filter(|file| imports.contains(*file)).collect()
}

/// All exports of a file, by name.
fn object_of(module: &Module) -> String {
    let members =
        module.exports.iter().map(|Name { exported, .. }| format!("{exported}: {}", module.member(exported)));
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

fn app_files() -> impl Iterator<Item = &'static str> {
    Bundle::App.groups().into_iter().flatten().map(|module| module.name)
}

fn is_entry(name: &str) -> bool {
    let bundles = Bundle::PARTS.into_iter().chain([Bundle::App, Bundle::Worker]);
    bundles.into_iter().any(|bundle| bundle.entry() == name)
}

/// What files for browsers import, as file and name.
fn wanted() -> &'static BTreeSet<(&'static str, &'static str)> {
    static WANTED: LazyLock<BTreeSet<(&str, &str)>> = LazyLock::new(|| {
        let modules = SOURCES.iter().map(|(name, source)| Module::parsed(name, source));
        let imports = modules.flat_map(|module| module.imports);
        let names = imports.flat_map(|import| {
            import.names.into_iter().map(move |name| (import.from.clone(), name.exported))
        });
        names.map(|(from, name)| (&*from.leak(), &*name.leak())).collect()
    });
    &WANTED
}

/// A file without its imports and exports.
struct Module {
    name: &'static str,
    imports: Vec<ImportLine>,
    exports: Vec<Name>,
    body: String,
}

struct ImportLine {
    names: Vec<Name>,
    from: String,
}

/// What is known inside and outside of a file, maybe by two names.
struct Name {
    exported: String,
    local: String,
}

impl Name {
    fn new(exported: &str, local: &str) -> Name {
        Name { exported: exported.trim().to_owned(), local: local.trim().to_owned() }
    }
}

impl ImportLine {
    /// A constant for each name.
    fn declarations(&self) -> impl Iterator<Item = String> {
        let module = Module::named(&self.from);
        self.names
            .iter()
            .map(move |Name { exported, local }| format!("const {local} = {};\n", module.member(exported)))
    }
}

/// Sorts files so that each comes after what it imports.
#[derive(Default)]
struct Bundler {
    seen: BTreeSet<&'static str>,
    /// Files on the way from the entry to the one being read, each with those that go into its function.
    open: Vec<(&'static str, Vec<Module>)>,
    groups: Vec<Vec<Module>>,
}

impl Bundler {
    fn visit(&mut self, path: &str) {
        let module = Module::named(path);
        if !self.seen.insert(module.name) {
            return;
        }
        self.open.push((module.name, Vec::new()));
        let imported: Vec<_> = module.imports.iter().map(|import| import.from.clone()).collect();
        for from in &imported {
            self.visit(from);
        }
        let (_, mut group) = self.open.pop().expect("it was opened above");
        group.push(module);
        // One that imports this file and is imported by it takes it into its function.
        let around = self.open.iter_mut().find(|(open, _)| imported.iter().any(|from| from == open));
        match around {
            Some((_, outer)) => outer.extend(group),
            None => self.groups.push(group),
        }
    }
}

impl Module {
    fn named(path: &str) -> Module {
        let found = SOURCES.iter().find(|(name, _)| *name == path);
        let (name, source) =
            found.unwrap_or_else(|| panic!("{path} is not in SOURCES of src/browser/bundle.rs"));
        Module::read(name, source)
    }

    /// What the others say for one of its exports.
    fn member(&self, exported: &str) -> String {
        let place = self.exports.iter().position(|export| export.exported == exported);
        let place = place.unwrap_or_else(|| panic!("{} exports no {exported}", self.name));
        format!("{}[{place}]", variable(self.name))
    }

    fn read(name: &'static str, source: &str) -> Module {
        let mut module = Module::parsed(name, source);
        // What nobody here asks for is not passed on; what nobody uses is left out when the script is made short.
        if !is_entry(name) {
            module.exports.retain(|export| wanted().contains(&(name, export.exported.as_str())));
        }
        module
    }

    fn parsed(name: &'static str, source: &str) -> Module {
        let mut module = Module { name, imports: Vec::new(), exports: Vec::new(), body: String::new() };
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("import ") || line.starts_with("export {") {
                let mut statement = line.to_owned();
                while !statement.ends_with(';') {
                    statement.push_str(lines.next().unwrap_or(";"));
                }
                module.take_list(&statement);
            } else if let Some(name) = line.strip_prefix("export default ") {
                module.exports.push(Name::new("default", name.trim_end_matches(';')));
            } else if let Some(declaration) = line.strip_prefix("export ") {
                let keywords = ["async", "class", "const", "function", "function*", "let"];
                let mut words = declaration.split(|c: char| !c.is_alphanumeric() && !"_$*".contains(c));
                let name = words.find(|word| !keywords.contains(word)).unwrap_or_default();
                if declaration.starts_with("function ") && HOST_ONLY.contains(&name) {
                    lines.by_ref().find(|line| *line == "}");
                    continue;
                }
                module.exports.push(Name::new(name, name));
                module.body.extend([declaration, "\n"]);
            } else {
                module.body.extend([line, "\n"]);
            }
        }
        module
    }

    /// `import { a, b as c } from "./file.js";` or `export { a, b as c };`
    fn take_list(&mut self, statement: &str) {
        let (_, rest) = statement.split_once('{').unwrap_or_else(|| panic!("{}: {statement}", self.name));
        let (list, rest) = rest.split_once('}').unwrap_or_else(|| panic!("{}: {statement}", self.name));
        let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
        let pairs = items.map(|item| item.split_once(" as ").unwrap_or((item, item)));
        if statement.starts_with("export") {
            self.exports.extend(pairs.map(|(local, exported)| Name::new(exported, local)));
        } else {
            let names = pairs.map(|(exported, local)| Name::new(exported, local)).collect();
            let from = rest.split('"').nth(1).unwrap_or_else(|| panic!("{}: {statement}", self.name));
            let from = if let Some(above) = from.strip_prefix("../") {
                above.to_owned()
            } else {
                let folder = self.name.rsplit_once('/').map_or("", |(folder, _)| folder);
                format!("{folder}/{}", from.trim_start_matches("./")).trim_start_matches('/').to_owned()
            };
            if from != NAMES {
                self.imports.push(ImportLine { names, from });
            }
        }
    }
}

/// One function for files that import each other: `const [_reactive, _observer] = (() => { ... return [[...], [...]]; })();`. The
/// exports of a file are a list, so that their names take no space.
fn function_of(group: &[Module]) -> String {
    let is_inside = |path: &str| group.iter().any(|module| module.name == path);
    let variables: Vec<_> = group.iter().map(|module| variable(module.name)).collect();
    let mut text = format!("const [{}] = (() => {{\n", variables.join(", "));
    let outside = group.iter().flat_map(|module| &module.imports).filter(|import| !is_inside(&import.from));
    let declarations: BTreeSet<_> = outside.flat_map(ImportLine::declarations).collect();
    text.extend(declarations);
    text.extend(group.iter().map(|module| module.body.as_str()));
    let exports = group.iter().map(|module| {
        let locals: Vec<_> = module.exports.iter().map(|export| export.local.as_str()).collect();
        format!("[{}]", locals.join(", "))
    });
    text.extend(["return [", &exports.collect::<Vec<_>>().join(", "), "];\n})();\n"]);
    text
}

/// The name under which the others know a file.
fn variable(path: &str) -> String {
    let name = path.trim_end_matches(".js").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundle_files_come_after_what_they_import() {
        let script = Bundle::App.script();
        let place = |name: &str| script.find(&format!("{name}] = ")).unwrap_or_else(|| panic!("no {name}"));
        assert!(place("_answer_values") < place("_live_response_live_response"));
        assert!(place("_live_response_live_response") < place("_client_hub"));
        assert!(place("_client_hub") < place("_client_app"));
    }

    #[test]
    fn bundle_files_that_import_each_other_share_a_function() {
        let script = Bundle::App.script();
        assert!(script.contains("const [_observer_reactive, _observer_observer] = "), "{script}");
    }

    #[test]
    fn bundle_what_only_the_host_calls_is_left_out() {
        let scripts = [Bundle::App, Bundle::Part("live"), Bundle::Worker].map(Bundle::script);
        for name in HOST_ONLY {
            let declaration = format!("function {name}(");
            assert!(SOURCES.iter().any(|(_, source)| source.contains(&declaration)), "no file has {name}");
            assert!(scripts.iter().all(|script| !script.contains(&declaration)), "{name} is there");
        }
    }

    #[test]
    fn bundle_built_ins_are_named_by_their_file() {
        assert_eq!(SOURCES[0].0, NAMES);
        let script = Bundle::App.script();
        assert!(script.contains("ArrayPrototypePush(") && !script.contains("_primordials"), "{script}");
    }

    #[test]
    fn bundle_nothing_of_modules_is_left() {
        let script = Bundle::App.script();
        let left = script.lines().find(|line| line.starts_with("import ") || line.starts_with("export "));
        assert_eq!(left, None);
    }
}
