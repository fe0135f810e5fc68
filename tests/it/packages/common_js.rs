use serde_json::json;

use super::package;
use crate::support::Site;

#[test]
fn a_module_has_the_variables_of_common_js() {
    let index = "leaked = 'sloppy';
        module.exports = {
            file: __filename.split('/').slice(-2).join('/'), folder: __dirname.split('/').pop(),
            self: this === exports, isMain: require.main === module,
            id: module.id === __filename, loaded: module.loaded, json: require('./data'), leaked,
            resolved: require.resolve('./data').split('/').pop(), missing: (() => {
                try { return require('nothing'); } catch (error) { return error.code; }
            })(),
            again: require('./data') === require('./data.json'),
            anew: (() => {
                const first = require('./data');
                delete require.cache[require.resolve('./data')];
                return first !== require('./data');
            })(),
        };";
    let host = package(Site::new(), "variables", index)
        .file("node_modules/variables/data.json", "[1]")
        .file("handler.js", "import all from 'variables';\nexport default () => all;")
        .serve();

    assert_eq!(
        host.get("/").json(),
        json!({
            "file": "variables/index.js", "folder": "variables", "self": true, "isMain": false, "id": true,
            "loaded": false, "json": [1], "leaked": "sloppy", "resolved": "data.json",
            "missing": "MODULE_NOT_FOUND", "again": true, "anew": true,
        })
    );
}

#[test]
fn files_and_folders_are_found_without_their_extension() {
    let index =
        "exports.all = [require('./file'), require('./folder'), require('./main'), require('.').all];";
    let host = package(Site::new(), "paths", index)
        .file("node_modules/paths/file.js", "module.exports = 'file';")
        .file("node_modules/paths/folder/index.js", "module.exports = 'folder';")
        .file("node_modules/paths/main/package.json", r#"{ "main": "lib/entry" }"#)
        .file("node_modules/paths/main/lib/entry.js", "module.exports = 'main';")
        .file("handler.js", "import { all } from 'paths';\nexport default () => all;")
        .serve();

    assert_eq!(host.get("/").json(), json!(["file", "folder", "main", null]));
}

#[test]
fn modules_that_require_each_other_see_what_is_there_so_far() {
    let host = Site::new()
        .file("lib/a.cjs", "exports.early = 1; exports.seen = require('./b.cjs').seen; exports.late = 2;")
        .file("lib/b.cjs", "exports.seen = Object.keys(require('./a.cjs'));")
        // An ES module and a CommonJS one, where the CommonJS one needs the other later.
        .file("lib/c.mjs", "import d from './d.cjs';\nexport const value = 'c', other = d.value;")
        .file("lib/d.cjs", "exports.value = 'd'; exports.later = () => require('./c.mjs').value;")
        .file(
            "handler.js",
            "import a from './lib/a.cjs';\nimport { value, other } from './lib/c.mjs';\n\
             import d from './lib/d.cjs';\nexport default () => [a, value, other, d.later()];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([{ "early": 1, "seen": ["early"], "late": 2 }, "c", "d", "c"]));
}

#[test]
fn an_es_module_that_is_required_while_it_loads_is_an_error() {
    let host = Site::new()
        .file("lib/a.mjs", "import b from './b.cjs';\nexport default b;")
        .file("lib/b.cjs", "try { require('./a.mjs'); } catch (error) { exports.message = error.message; }")
        .file("handler.js", "import b from './lib/a.mjs';\nexport default () => b.message;")
        .serve();

    let said = host.get("/").text().to_owned();

    assert!(said.contains("a.mjs in a cycle"), "{said}");
}

#[test]
fn a_tree_of_a_thousand_files_loads() {
    let mut site = package(Site::new(), "tree", "module.exports = require('./0');");
    for number in 0..1000 {
        let below = [2 * number + 1, 2 * number + 2].into_iter().filter(|below| *below < 1000);
        let sum: String = below.map(|below| format!(" + require('./{below}')")).collect();
        site = site.file(&format!("node_modules/tree/{number}.js"), format!("module.exports = 1{sum};"));
    }
    let host = site.file("handler.js", "import count from 'tree';\nexport default () => count;").serve();

    assert_eq!(host.get("/").json(), json!(1000));
}

#[test]
fn create_require_and_dynamic_imports_cross_between_both_kinds() {
    let index =
        "exports.load = async () => [(await import('es')).default, (await import('./other.js')).default.a];";
    let host = package(Site::new(), "loads", index)
        .file("node_modules/loads/other.js", "exports.a = 'other';")
        .file("node_modules/es/package.json", r#"{ "type": "module", "exports": "./main.js" }"#)
        .file("node_modules/es/main.js", "export default 'es';")
        .file(
            "handler.js",
            "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n\
             export default async () => [await require('loads').load(), require('es').default];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([["es", "other"], "es"]));
}
