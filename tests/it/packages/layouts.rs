use serde_json::json;

use super::package;
use crate::support::Site;

#[test]
fn the_conditions_of_a_package_choose_its_file() {
    let host = Site::new()
        .file(
            "node_modules/chosen/package.json",
            r##"{
              "name": "chosen", "browser": "./browser.js", "main": "./browser.js",
              "exports": {
                ".": {
                  "browser": "./browser.js", "deno": "./browser.js",
                  "node": { "import": "./import.mjs", "require": "./require.cjs" }, "default": "./browser.js"
                },
                "./both": { "module-sync": "./sync.mjs", "default": "./browser.js" },
                "./parts/*": "./lib/*.js", "./parts/hidden": null, "./package.json": "./package.json"
              },
              "imports": { "#own": { "node": "./own.cjs", "default": "./browser.js" } }
            }"##,
        )
        .file("node_modules/chosen/browser.js", "module.exports = 'browser';")
        .file("node_modules/chosen/sync.mjs", "export const both = 'sync';")
        .file("node_modules/chosen/own.cjs", "module.exports = 'own';")
        .file("node_modules/chosen/lib/a.js", "module.exports = 'part';")
        .file(
            "node_modules/chosen/import.mjs",
            "import own from '#own';\nimport part from 'chosen/parts/a';\nexport default ['import', own, part];",
        )
        .file(
            "node_modules/chosen/require.cjs",
            "module.exports = ['require', require('#own'), require('chosen/parts/a'), require('chosen/both').both];",
        )
        .file(
            "handler.js",
            "import imported from 'chosen';\nimport { createRequire } from 'node:module';\n\
             import { both } from 'chosen/both';\n\
             import manifest from 'chosen/package.json' with { type: 'json' };\n\
             const required = createRequire(import.meta.url)('chosen');\n\
             export default () => [imported, required, both, manifest.name];",
        )
        .serve();

    assert_eq!(
        host.get("/").json(),
        json!([["import", "own", "part"], ["require", "own", "part", "sync"], "sync", "chosen"])
    );
}

#[test]
fn a_package_without_exports_has_a_main_or_an_index() {
    let host = package(Site::new(), "index", "module.exports = 'index';")
        .file("node_modules/short/package.json", r#"{ "main": "lib/main" }"#)
        .file("node_modules/short/lib/main.js", "module.exports = 'short';")
        .file("node_modules/folder/package.json", r#"{ "main": "./lib" }"#)
        .file("node_modules/folder/lib/index.js", "module.exports = 'folder';")
        .file("node_modules/data/package.json", r#"{ "main": "data.json" }"#)
        .file("node_modules/data/data.json", r#""data""#)
        .file(
            "handler.js",
            "import index from 'index';\nimport short from 'short';\nimport folder from 'folder';\n\
             import data from 'data' with { type: 'json' };\nimport { createRequire } from 'node:module';\n\
             const require = createRequire(import.meta.url);\n\
             const all = ['index', 'short', 'folder', 'data'].map((name) => require(name));\n\
             export default () => [[index, short, folder, data], all];",
        )
        .serve();

    let all = ["index", "short", "folder", "data"];
    assert_eq!(host.get("/").json(), json!([all, all]));
}

/// As pnpm and workspaces lay packages out, in a folder above the project.
#[cfg(unix)]
#[test]
fn links_of_stores_and_workspaces_are_followed() {
    let host = Site::new()
        .file("node_modules/.pnpm/a@1/node_modules/a/package.json", r#"{ "name": "a", "main": "a.js" }"#)
        .file("node_modules/.pnpm/a@1/node_modules/a/a.js", "exports.a = 'a' + require('b').b;")
        .file("node_modules/.pnpm/b@1/node_modules/b/package.json", r#"{ "name": "b", "main": "b.js" }"#)
        .file("node_modules/.pnpm/b@1/node_modules/b/b.js", "exports.b = 'b';")
        .link("node_modules/.pnpm/a@1/node_modules/b", "node_modules/.pnpm/b@1/node_modules/b")
        .file("packages/tool/package.json", r#"{ "name": "tool", "main": "src/index.js" }"#)
        .file(
            "packages/tool/src/index.js",
            "exports.tool = 'tool' + require('../part').part + require('hoisted');",
        )
        .file("packages/tool/part.js", "exports.part = ' part ';")
        .link("node_modules/@scope/tool", "packages/tool")
        .file("node_modules/hoisted/package.json", "{}")
        .file("node_modules/hoisted/index.js", "module.exports = 'hoisted';")
        .file("app/package.json", "{}")
        .link("app/node_modules/a", "node_modules/.pnpm/a@1/node_modules/a")
        // The CommonJS file comes to packages that no ES module imports.
        .file("app/lib/all.cjs", "module.exports = [require('a').a, require('@scope/tool').tool];")
        .file("app/routes/handler.js", "import all from '../lib/all.cjs';\nexport default () => all;")
        .serving("app/routes")
        .serve();

    assert_eq!(host.get("/").json(), json!(["ab", "tool part hoisted"]));
}

/// An ES module that a CommonJS module of a package requires imports files of its own and packages of its own.
#[cfg(unix)]
#[test]
fn required_es_modules_above_the_project_import_their_files() {
    let required = r#"{ "type": "module", "exports": "./index.js" }"#;
    let host = Site::new()
        // Hoisted by a workspace.
        .file("node_modules/a/index.js", "module.exports = [require('b').b, require('@scope/c').c];")
        .file("node_modules/b/package.json", required)
        .file("node_modules/b/index.js", "export * from './lib/part.js';")
        .file("node_modules/b/lib/part.js", "import d from 'd'; export const b = `b${d}`;")
        .file("node_modules/d/package.json", required)
        .file("node_modules/d/index.js", "export { default } from './part.js';")
        .file("node_modules/d/part.js", "export default 'd';")
        .file("node_modules/@scope/c/package.json", required)
        .file("node_modules/@scope/c/index.js", "export * from './part.js';")
        .file("node_modules/@scope/c/part.js", "export const c = 'c';")
        // In a store of pnpm.
        .file("store/e@1/node_modules/e/index.js", "module.exports = require('f').f;")
        .file("store/f@1/node_modules/f/package.json", required)
        .file("store/f@1/node_modules/f/index.js", "export * from './part.js';")
        .file("store/f@1/node_modules/f/part.js", "export const f = 'f';")
        .link("store/e@1/node_modules/f", "store/f@1/node_modules/f")
        .link("site/node_modules/e", "store/e@1/node_modules/e")
        .file("site/package.json", "{}")
        .file("site/handler.js", "import a from 'a';\nimport e from 'e';\nexport default () => [a, e];")
        .serving("site")
        .serve();

    assert_eq!(host.get("/").json(), json!([["bd", "c"], "f"]));
}

#[test]
fn packages_of_the_names_of_nodes_modules_are_found_by_their_paths() {
    let host = package(Site::new(), "events", "module.exports = 'package';")
        .file("node_modules/sqlite/package.json", "{}")
        .file("node_modules/sqlite/index.js", "module.exports = 'sqlite';")
        .file(
            "handler.js",
            "import events from 'events';\nimport own from 'events/index.js';\nimport sqlite from 'sqlite';\n\
             export default () => [typeof events, own, sqlite];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["function", "package", "sqlite"]));
}
