//! Everything that one generation of the code gives to browsers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use hyper::header::HeaderName;
use serde_json::{Value, json};

use super::asset::Asset;
use super::bundles;
use super::modules::{self, Assets, Imports, Modules};
use super::origins::Origin;
use super::toolchain::Toolchain;
use crate::router::{Layer, Layout, Routes};
use liveline_compiler::Diagnostic;

/// The script of pages, as a classic script and as a module.
const APP: &str = "/app.js";
const APP_MODULE: &str = "/app.mjs";
/// The service worker's script, which imports the runtime and the handlers.
const WORKER: &str = "/.liveline/worker.js";
const WORKER_RUNTIME: &str = "/.liveline/app/worker.js";
/// Where the app finds its parts.
const PARTS_FOLDER: &str = "/.liveline/app/";

const APP_MODULE_SOURCE: &str = "import \"/app.js\";
export const { LiveResponse, Observer, webqit: { app } } = globalThis;
export default app;
";

/// The files for browsers, by path.
pub(crate) struct BrowserFiles(BTreeMap<String, Made>);

/// Made when it is first asked for.
type Made = LazyLock<Asset, Box<dyn FnOnce() -> Asset + Send>>;

impl BrowserFiles {
    /// Compiles the client and worker handlers and what they import. Also says which files were read and what they
    /// import, of code that does not compile as well.
    pub(crate) fn build(
        layout: &Layout,
        routes: &Routes,
        tools: &dyn Toolchain,
    ) -> (Result<BrowserFiles, Vec<Diagnostic>>, Imports) {
        let mut modules = Modules::new(layout, tools);
        let (mut client, mut worker) = (Vec::new(), Vec::new());
        for handler in routes.handlers() {
            let list = match handler.layer {
                Layer::Client => &mut client,
                Layer::Worker => &mut worker,
                Layer::Server => continue,
            };
            list.push((handler.pattern.as_str(), modules.add_handler(&handler.path)));
        }
        let (modules, read) = modules.finish();
        tell_of_universal(routes);
        (
            modules.map(|modules| {
                let client: Vec<_> =
                    client.iter().map(|(pattern, url)| client_entry(routes, pattern, url)).collect();
                BrowserFiles::of(&client, &worker, modules)
            }),
            read,
        )
    }

    /// What browsers get where there are no handlers for them.
    pub(crate) fn without_handlers() -> BrowserFiles {
        BrowserFiles::of(&[], &[], Assets::new())
    }

    fn of(client: &[Value], worker: &[(&str, String)], modules: Assets) -> BrowserFiles {
        let mut files = BrowserFiles(BTreeMap::new());
        let has_live_functions = modules.contains_key(&modules::own_place("live"));
        for (place, asset) in modules {
            files.add(format!("{}{place}", modules::FOLDER), || asset);
        }
        let mut manifest = json!({ "client": client, "worker": !worker.is_empty() });
        if has_live_functions {
            manifest["live"] = true.into();
        }
        files.add(APP, move || Asset::script(format!("{}({manifest});\n", bundles::APP.trim_end())));
        files.add(APP_MODULE, || Asset::script(APP_MODULE_SOURCE));
        for &(name, part) in bundles::PARTS {
            files.add(format!("{PARTS_FOLDER}{name}"), move || Asset::script(part));
        }
        files.add(WORKER_RUNTIME, || Asset::script(bundles::WORKER));
        let worker = worker_script(worker);
        files.add(WORKER, || worker);
        files
    }

    fn add(&mut self, path: impl Into<String>, make: impl FnOnce() -> Asset + Send + 'static) {
        self.0.insert(path.into(), LazyLock::new(Box::new(make)));
    }

    /// Whether [`find`](BrowserFiles::find) is to be asked for a path.
    pub(crate) fn cover(path: &str) -> bool {
        [APP, APP_MODULE, WORKER].contains(&path)
            || [PARTS_FOLDER, modules::FOLDER].iter().any(|folder| path.starts_with(folder))
    }

    /// Where a place in one of the files stands in the file that somebody wrote.
    pub(crate) fn origin_of(&self, path: &str, line: usize, column: usize) -> Option<Origin> {
        Some(self.find(path)?.source.as_ref()?.origin_of(line, column))
    }

    /// What is served at a path as it stands in a URL.
    pub(crate) fn find(&self, path: &str) -> Option<&Asset> {
        self.0.get(&modules::decoded(path)?).map(|asset| &**asset)
    }
}

/// Says, once for each file, that browsers get the source of what the server runs.
fn tell_of_universal(routes: &Routes) {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().expect("nothing panics while it holds the list");
    let of_server: BTreeSet<_> = files_of(routes, Layer::Server).collect();
    let shared = files_of(routes, Layer::Client).chain(files_of(routes, Layer::Worker));
    for file in shared.filter(|file| of_server.contains(file)) {
        if told.insert(file.clone()) {
            tracing::warn!(
                "browsers get the source of {}, which is universal; name it handler.server.js to keep it on the server",
                file.display()
            );
        }
    }
}

fn files_of(routes: &Routes, layer: Layer) -> impl Iterator<Item = &PathBuf> {
    routes.handlers().iter().filter(move |handler| handler.layer == layer).map(|handler| &handler.path)
}

/// What the manifest says of a client handler: its pattern, its module, and the page of its folder, if it has one.
fn client_entry(routes: &Routes, pattern: &str, url: &str) -> Value {
    match routes.page_of(pattern) {
        Some(page) => json!([pattern, url, page.id]),
        None => json!([pattern, url]),
    }
}

/// The service worker: its runtime first, then the handlers.
fn worker_script(handlers: &[(&str, String)]) -> Asset {
    let mut script = format!("import start from {};\n", json!(WORKER_RUNTIME));
    let mut list = Vec::new();
    for (number, (pattern, url)) in handlers.iter().enumerate() {
        script.push_str(&format!("import * as handler{number} from {};\n", json!(url)));
        list.push(format!("[{}, handler{number}]", json!(pattern)));
    }
    script.push_str(&format!("start([{}]);\n", list.join(", ")));
    // It answers for the whole site, although it does not lie at its root.
    Asset::script(script).with(HeaderName::from_static("service-worker-allowed"), "/")
}
