//! The files that a generation of the code serves to browsers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use hyper::header::HeaderName;
use serde_json::{Value, json};

use super::asset::Asset;
use super::bundles;
use super::modules::{self, Assets, ClientModules, Imports};
use super::origins::Origin;
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
pub(crate) struct BrowserFiles(BTreeMap<String, Asset>);

impl BrowserFiles {
    /// Compiles the client and worker handlers and what they import. Also returns which files were read and what they
    /// import, even if some do not compile.
    pub(crate) fn build(
        layout: &Layout,
        routes: &Routes,
    ) -> (Result<BrowserFiles, Vec<Diagnostic>>, Imports) {
        let mut modules = ClientModules::new(layout);
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
        warn_of_universal(routes);
        (
            modules.map(|modules| {
                let client: Vec<_> =
                    client.iter().map(|(pattern, url)| client_entry(routes, pattern, url)).collect();
                BrowserFiles::of(&client, &worker, modules)
            }),
            read,
        )
    }

    fn of(client: &[Value], worker: &[(&str, String)], modules: Assets) -> BrowserFiles {
        let mut manifest = json!({ "client": client, "worker": !worker.is_empty() });
        if modules.contains_key(&modules::own_place("live")) {
            manifest["live"] = true.into();
        }
        let app = format!("{}({manifest});\n", bundles::APP.trim_end());
        let own = [
            (APP, Asset::script(app)),
            (APP_MODULE, Asset::script(APP_MODULE_SOURCE)),
            (WORKER, worker_script(worker)),
            (WORKER_RUNTIME, Asset::script(bundles::WORKER)),
        ];
        let own = own.into_iter().map(|(path, asset)| (path.to_owned(), asset));
        let parts =
            bundles::PARTS.iter().map(|&(name, part)| (format!("{PARTS_FOLDER}{name}"), Asset::script(part)));
        let modules =
            modules.into_iter().map(|(place, asset)| (format!("{}{place}", modules::FOLDER), asset));
        BrowserFiles(own.chain(parts).chain(modules).collect())
    }

    /// Whether a path is one that only these files serve.
    pub(crate) fn cover(path: &str) -> bool {
        [APP, APP_MODULE, WORKER].contains(&path)
            || [PARTS_FOLDER, modules::FOLDER].iter().any(|folder| path.starts_with(folder))
    }

    /// The place in the author's file from which a place in one of these files comes.
    pub(crate) fn origin_of(&self, path: &str, line: usize, column: usize) -> Option<Origin> {
        Some(self.find(path)?.source.as_ref()?.origin_of(line, column))
    }

    /// The file at a path of a URL.
    pub(crate) fn find(&self, path: &str) -> Option<&Asset> {
        self.0.get(&modules::decoded(path)?)
    }
}

/// Warns, once for each file, that browsers get the source of a handler that the server runs.
fn warn_of_universal(routes: &Routes) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut warned = WARNED.lock().expect("nothing panics while it holds the list");
    let of_server: BTreeSet<_> = files_of(routes, Layer::Server).collect();
    let shared = files_of(routes, Layer::Client).chain(files_of(routes, Layer::Worker));
    for file in shared.filter(|file| of_server.contains(file)) {
        if warned.insert(file.clone()) {
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

/// A client handler in the manifest: its pattern, its module, and the page of its folder, if it has one.
fn client_entry(routes: &Routes, pattern: &str, url: &str) -> Value {
    match routes.page_of(pattern) {
        Some(page) => json!([pattern, url, page.id]),
        None => json!([pattern, url]),
    }
}

/// The script of the service worker: it imports the runtime first, then the handlers.
fn worker_script(handlers: &[(&str, String)]) -> Asset {
    let mut script = format!("import start from {};\n", json!(WORKER_RUNTIME));
    let mut list = Vec::new();
    for (number, (pattern, url)) in handlers.iter().enumerate() {
        script.push_str(&format!("import * as handler{number} from {};\n", json!(url)));
        list.push(format!("[{}, handler{number}]", json!(pattern)));
    }
    script.push_str(&format!("start([{}]);\n", list.join(", ")));
    // The worker is for the whole site, although its script is not in the site's root.
    Asset::script(script).with(HeaderName::from_static("service-worker-allowed"), "/")
}
