use super::package;
use crate::support::Site;

/// What `check` prints about a site that does not load.
#[track_caller]
fn complaint(site: Site, parts: &[&str]) {
    let checked = site.run("check");
    assert_eq!(checked.code, Some(1), "{}", checked.output());
    for part in parts {
        assert!(checked.output().contains(part), "{part} is missing in\n{}", checked.output());
    }
}

#[test]
fn a_missing_package_is_an_error_with_the_command_that_installs_it() {
    complaint(
        Site::new().file("a/handler.js", "\nimport x from \"left-padding\";\nexport default () => x;"),
        &["run `npm install left-padding`", "a/handler.js:2:15", "import x from \"left-padding\";"],
    );
    complaint(
        Site::new()
            .file("package.json", r#"{ "dependencies": { "listed": "1" } }"#)
            .file("handler.js", "import \"listed\";\nexport default () => 1;"),
        &["package.json lists listed: run `npm install`", "handler.js:1:8"],
    );
}

#[test]
fn a_package_that_another_package_requires_is_named_with_the_reason() {
    let manifest = r#"{
      "name": "deep", "dependencies": { "kept": "1" }, "peerDependencies": { "peer": "^3.1", "extra": ">= 2" },
      "peerDependenciesMeta": { "extra": { "optional": true } }
    }"#;
    for (name, help) in [
        ("kept", "deep depends on kept, which is not installed: run `npm install`"),
        ("peer", "deep needs peer, a peer of it: run `npm install peer@^3.1`"),
        ("extra", "deep needs extra, an optional peer of it: run `npm install extra`"),
        ("@other/one", "its package.json does not list: run `npm install @other/one`"),
    ] {
        complaint(
            Site::new()
                .file("node_modules/deep/package.json", manifest)
                .file("node_modules/deep/index.js", "module.exports = require('./lib/needs');")
                .file("node_modules/deep/lib/needs.js", format!("// needs\n  require('{name}');"))
                .file("lib/deep.js", "\nexport { default } from 'deep';")
                .file("handler.js", "import x from './lib/deep.js';\nexport default () => x;"),
            &[help, "node_modules/deep/lib/needs.js:2:3", "lib/deep.js:2:25", "handler.js:1:15"],
        );
    }
}

#[test]
fn a_missing_part_of_a_package_is_an_error_with_what_it_exports() {
    let site = || {
        Site::new()
            .file("node_modules/parts/package.json", r#"{ "exports": { ".": "./a.js", "./one": "./a.js" } }"#)
            .file("node_modules/parts/a.js", "exports.a = 1;")
    };
    complaint(
        site().file("handler.js", "import 'parts/two';\nexport default () => 1;"),
        &["parts does not export that", "it exports \"parts\", \"parts/one\"", "handler.js:1:8"],
    );
    complaint(
        site().file("handler.cjs", "\nrequire('parts/two');"),
        &["it exports \"parts\", \"parts/one\"", "handler.cjs:2:1"],
    );
    complaint(
        package(site(), "whole", "").file("handler.js", "import 'whole/two';\nexport default () => 1;"),
        &["whole has no such file"],
    );
    complaint(
        site().file("handler.js", "import { b } from 'parts';\nexport default () => b;"),
        &["exports nothing called `b`", "it is CommonJS", "handler.js:1:10"],
    );
}

#[test]
fn an_error_while_a_package_loads_has_its_place_and_that_of_the_import() {
    let throws = "function begin() {\n  throw new TypeError('too early');\n}\nbegin();";
    complaint(
        package(Site::new(), "throws", "require('./inner');")
            .file("node_modules/throws/inner.js", throws)
            .file("lib/throws.js", "\nimport 'throws';")
            .file("handler.js", "import './lib/throws.js';\nexport default () => 1;"),
        &[
            "TypeError: too early",
            "throws/inner.js:2:9",
            "throws/index.js:1:1",
            "lib/throws.js:2:8",
            "handler.js:1:8",
        ],
    );
    complaint(
        package(Site::new(), "broken", "require('./inner');")
            .file("node_modules/broken/inner.js", "const a = 1;\nlet b = = 2;")
            .file("handler.js", "import 'broken';\nexport default () => 1;"),
        &["SyntaxError", "broken/inner.js:2:9", "let b = = 2;", "handler.js:1:8"],
    );
    complaint(
        Site::new()
            .file("lib/early.mjs", "\nexport default later;\nlet later = 1;")
            .file("handler.cjs", "require('./lib/early.mjs');"),
        &["Cannot access 'later' before initialization", "lib/early.mjs:2", "handler.cjs:1:1"],
    );
}

#[test]
fn a_native_addon_is_refused_with_an_alternative() {
    let addon = |name: &str, index: &str| {
        package(Site::new(), name, index)
            .file(&format!("node_modules/{name}/build/Release/addon.node"), [0x7f, b'E', b'L', b'F', 0xff])
            .file("handler.js", format!("import '{name}';\nexport default () => 1;"))
    };
    complaint(
        addon("fast-things", "module.exports = require('./build/Release/addon.node');"),
        &[
            "fast-things is a native addon",
            "JavaScript or WebAssembly",
            "fast-things/index.js:1:18",
            "handler.js:1:8",
        ],
    );
    let bindings =
        "module.exports = () => { throw new Error('Could not locate the bindings file. Tried: a.node'); };";
    complaint(
        package(addon("better-sqlite3", "require('bindings')('better_sqlite3');"), "bindings", bindings),
        &["better-sqlite3 needs a native addon", "liveline:sql"],
    );
    complaint(
        addon("bcrypt", "")
            .file("handler.js", "import 'bcrypt/build/Release/addon.node';\nexport default () => 1;"),
        &["bcrypt is a native addon", "liveline:password", "handler.js:1:8"],
    );
}

#[test]
fn a_module_that_node_does_not_have_is_an_error_with_the_one_that_was_meant() {
    for (specifier, meant) in [("node:pth", "node:path"), ("fs/promise", "node:fs/promises")] {
        complaint(
            Site::new().file("handler.js", format!("import '{specifier}';\nexport default () => 1;")),
            &[&format!("did you mean \"{meant}\"?"), "handler.js:1:8"],
        );
    }
    complaint(
        Site::new().file("handler.cjs", "\nrequire('node:nothing');"),
        &["No such built-in module: node:nothing", "handler.cjs:2:1"],
    );
}
