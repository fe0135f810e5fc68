//! The Webflo dialect: a folder is a segment of the path, and `handler.js` in it answers.
//!
//! | file | what it does |
//! |---|---|
//! | `exports` | which exports of a handler answer, and which look as if they were meant to |
//! | `strays` | files and folders whose names look as if they were handlers, pages and parameters |
//! | `universal` | which plain `handler.js` run in browsers, too |

mod exports;
mod strays;
mod universal;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Claim, Dialect, Explanation, Exports, HandlerFacts, HandlerOptions};
use crate::router::{Layer, Layout, Part, RouteFolder, Routes};
use liveline_compiler::Diagnostic;
use liveline_compiler::facts::EXTENSIONS;
use universal::{Places, Universal};

/// The evidence is the name of the file.
const SCORE: u32 = 50;

/// Folders of `handler.js`, `handler.server.js`, `handler.client.js` and `handler.worker.js`.
pub(super) struct Webflo;

impl Dialect for Webflo {
    fn name(&self) -> &'static str {
        "webflo"
    }

    fn detect(&self, layout: &Layout, folders: &[RouteFolder]) -> Vec<Claim> {
        let universal = Universal::of(layout);
        folders.iter().flat_map(|folder| handlers(folder, &universal)).collect()
    }

    fn is_found_by_text(&self, layout: &Layout, file: &Path) -> bool {
        // A handler that ran in browsers, too, was a file of theirs.
        let is_plain = file.file_stem().is_some_and(|stem| stem == "handler");
        is_plain && Universal::of(layout).places(file) != Places::default()
    }

    fn is_private(&self, file: &Path) -> bool {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.rsplit_once('.').is_some_and(|(stem, extension)| {
            ["handler", "handler.server"].contains(&stem) && EXTENSIONS.contains(&extension)
        })
    }

    fn load(&self, exports: &Exports) -> HandlerOptions {
        HandlerOptions { csrf: exports.boolean("csrf"), ..HandlerOptions::default() }
    }

    fn explain(&self, handler: &HandlerFacts<'_>) -> Explanation {
        let answers = exports::answering(handler.exports).into_iter().map(str::to_owned).collect();
        Explanation { answers, problems: exports::misnamed(handler) }
    }

    fn explain_folder(
        &self,
        layout: &Layout,
        routes: &Routes,
        imported: &BTreeSet<PathBuf>,
    ) -> Vec<Diagnostic> {
        let nothing = strays::nothing_to_serve(layout, routes);
        let strays = strays::strays(layout, imported);
        let parameters = strays::parameters(layout);
        nothing.into_iter().chain(strays).chain(strays::doubles(layout)).chain(parameters).collect()
    }
}

/// The handlers of a folder, one for each layer at most. A plain `handler.*` is the server's, unless the server has one
/// of its own; it is also that of browsers where it is universal and they have none of their own.
fn handlers(folder: &RouteFolder, universal: &Universal) -> Vec<Claim> {
    let first = |stem: &str| {
        let names = EXTENSIONS.iter().map(|extension| format!("{stem}.{extension}"));
        names.into_iter().find(|name| folder.files.contains(OsStr::new(name)))
    };
    let plain = first("handler");
    let places = plain.as_ref().map(|file| universal.places(&folder.path.join(file))).unwrap_or_default();
    let plain_where = |runs: bool| plain.clone().filter(|_| runs);
    let files = [
        (Layer::Server, first("handler.server").or_else(|| plain_where(true))),
        (Layer::Client, first("handler.client").or_else(|| plain_where(places.client))),
        (Layer::Worker, first("handler.worker").or_else(|| plain_where(places.worker))),
    ];
    let claim = |(layer, file): (Layer, Option<String>)| {
        let file = folder.path.join(file?);
        Some(Claim { route: folder.route.clone(), layer, file, score: SCORE, part: Part::Step })
    };
    files.into_iter().filter_map(claim).collect()
}

#[cfg(test)]
mod tests {
    use crate::dialect::read;
    use crate::router::Layout;
    use std::fs;
    use tempfile::TempDir;

    fn project(files: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    /// Every handler found, as `layer file`, files relative to the project.
    fn found(dir: &TempDir) -> Vec<String> {
        let layout = Layout::find(dir.path(), None).unwrap();
        let (routes, _) = read(&layout).unwrap();
        let shown = |path: &std::path::Path| path.strip_prefix(&layout.root).unwrap().display().to_string();
        routes.handlers().iter().map(|it| format!("{} {}", it.layer, shown(&it.path))).collect()
    }

    #[test]
    fn detect_server_file_hides_the_plain_one() {
        let dir = project(&["handler.js", "handler.server.tsx", "a/handler.ts"]);
        assert_eq!(found(&dir), ["server handler.server.tsx", "server a/handler.ts"]);
    }

    #[test]
    fn detect_several_extensions_first_is_taken() {
        let mut files = ["handler.tsx", "handler.jsx", "handler.ts", "handler.mjs", "handler.js"].as_slice();
        while let [others @ .., taken] = files {
            assert_eq!(found(&project(files)), [format!("server {taken}")]);
            files = others;
        }
    }

    #[test]
    fn detect_other_layers_recorded_beside_the_server() {
        let dir = project(&["handler.worker.mjs", "handler.client.js", "handler.js"]);
        assert_eq!(
            found(&dir),
            ["server handler.js", "client handler.client.js", "worker handler.worker.mjs"]
        );
    }

    #[test]
    fn detect_foreign_folders_and_files_passed_over() {
        let dir = project(&[
            "node_modules/x/handler.js",
            ".git/handler.js",
            "public/handler.js",
            "a/node_modules/handler.js",
            "a/public/handler.js",
            "a/handler.json",
            "a/handler.d.ts",
            "a/myhandler.js",
            "handler.js/notes.txt",
        ]);
        assert_eq!(found(&dir), ["server a/public/handler.js"]);
    }

    #[test]
    fn detect_project_only_app_holds_routes() {
        let dir = project(&["handler.js", "app/handler.js", "lib/handler.js", "public/x/handler.js"]);
        assert_eq!(found(&dir), ["server app/handler.js"]);
    }

    #[test]
    fn detect_folders_sorted_by_name() {
        let dir =
            project(&["b/handler.js", "-/handler.js", "a/z/handler.js", "a/handler.js", "B/handler.js"]);
        assert_eq!(
            found(&dir),
            [
                "server -/handler.js",
                "server B/handler.js",
                "server a/handler.js",
                "server a/z/handler.js",
                "server b/handler.js"
            ]
        );
    }

    #[cfg(unix)]
    mod links {
        use super::*;
        use std::os::unix::fs::symlink;

        #[test]
        fn detect_links_followed_to_the_real_file() {
            let dir = project(&["app/handler.js", "shared/shop/handler.js", "shared/root.js"]);
            symlink(dir.path().join("shared/shop"), dir.path().join("app/shop")).unwrap();
            fs::create_dir(dir.path().join("app/about")).unwrap();
            symlink(dir.path().join("shared/root.js"), dir.path().join("app/about/handler.js")).unwrap();
            assert_eq!(
                found(&dir),
                ["server app/handler.js", "server shared/root.js", "server shared/shop/handler.js"]
            );
        }

        #[test]
        fn detect_link_cycles_stopped() {
            let dir = project(&["a/b/handler.js", "c/handler.js"]);
            symlink(dir.path(), dir.path().join("a/b/up")).unwrap();
            symlink(dir.path().join("c"), dir.path().join("c/itself")).unwrap();
            symlink("loop", dir.path().join("loop")).unwrap();
            symlink("nowhere", dir.path().join("handler.js")).unwrap();
            assert_eq!(found(&dir), ["server a/b/handler.js", "server c/handler.js"]);
        }

        #[test]
        fn detect_folder_linked_twice_is_two_routes() {
            let dir = project(&["app/handler.js", "shop/handler.js"]);
            symlink(dir.path().join("shop"), dir.path().join("app/a")).unwrap();
            symlink(dir.path().join("shop"), dir.path().join("app/b")).unwrap();
            assert_eq!(
                found(&dir),
                ["server app/handler.js", "server shop/handler.js", "server shop/handler.js"]
            );
        }

        #[test]
        fn detect_link_to_public_passed_over() {
            let dir = project(&["public/handler.js", "a/handler.js"]);
            symlink(dir.path().join("public"), dir.path().join("assets")).unwrap();
            assert_eq!(found(&dir), ["server a/handler.js"]);
        }
    }
}
