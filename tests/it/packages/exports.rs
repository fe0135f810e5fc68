use serde_json::json;

use super::package;
use crate::support::Site;

/// The output of TypeScript, with a module that it passes on.
const TYPESCRIPT: &str = r#""use strict";
var __createBinding = (this && this.__createBinding) || (function(o, m, k, k2) { o[k2 || k] = m[k]; });
var __exportStar = (this && this.__exportStar) || function(m, exports) {
    for (var p in m) if (p !== "default" && !Object.prototype.hasOwnProperty.call(exports, p)) __createBinding(exports, m, p);
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.own = void 0;
__exportStar(require("./more"), exports);
exports.own = "own";
exports.default = "default";
"#;

/// The output of Babel, with a module that it passes on.
const BABEL: &str = r#""use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.own = exports.default = void 0;
var _more = require("./more");
Object.keys(_more).forEach(function (key) {
  if (key === "default" || key === "__esModule") return;
  if (key in exports && exports[key] === _more[key]) return;
  Object.defineProperty(exports, key, { enumerable: true, get: function () { return _more[key]; } });
});
exports.own = "own";
exports.default = "default";
"#;

/// The output of esbuild.
const ESBUILD: &str = r#""use strict";
var __defProp = Object.defineProperty;
var __export = (target, all) => { for (var name in all) __defProp(target, name, { get: all[name], enumerable: true }); };
var __toCommonJS = (mod) => Object.defineProperties(__defProp({}, "__esModule", { value: true }), Object.getOwnPropertyDescriptors(mod));
var source = {};
__export(source, { own: () => own, more: () => more, default: () => whole });
module.exports = __toCommonJS(source);
var own = "own", more = "more", whole = "default";
0 && (module.exports = { own, more });
"#;

#[test]
fn names_of_compiled_packages_are_imported() {
    for source in [TYPESCRIPT, BABEL, ESBUILD] {
        let host = package(Site::new(), "compiled", source)
            .file("node_modules/compiled/more.js", "exports.more = 'more';")
            .file(
                "handler.js",
                "import all, { own, more } from 'compiled';\nimport * as names from 'compiled';\n\
                 export default () => [own, more, all.default, all.__esModule, names['module.exports'] === all];",
            )
            .serve();

        assert_eq!(host.get("/").json(), json!(["own", "more", "default", true, true]), "{source}");
    }
}

#[test]
fn the_default_export_is_what_a_module_exports_as_a_whole() {
    let function = "module.exports = () => 'called'; module.exports.part = 'part';";
    let passes = "module.exports = require('whole');";
    let throws = "module.exports = { a: 1, get b() { throw new Error('later'); } };";
    let site = package(package(package(Site::new(), "whole", function), "passes", passes), "throws", throws);
    let host = package(site, "number", "module.exports = 7;")
        .file(
            "handler.js",
            "import whole, { part } from 'whole';\nimport passed, { part as same } from 'passes';\n\
             import { a } from 'throws';\nimport number from 'number';\n\
             export default () => [whole(), part, passed === whole, same, a, number];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["called", "part", true, "part", 1, 7]));
}

#[test]
fn es_modules_are_required_as_in_node() {
    let host = Site::new()
        .file("lib/plain.mjs", "export const a = 1;\nexport default 2;")
        .file("lib/whole.mjs", "const whole = 'whole';\nexport { whole as 'module.exports' };\nexport default 0;")
        .file("lib/waits.mjs", "export default await 1;")
        .file(
            "lib/all.cjs",
            "const plain = require('./plain.mjs');\n\
             exports.all = [plain.a, plain.default, plain.__esModule, plain[Symbol.toStringTag], require('./whole.mjs')];\n\
             try { require('./waits.mjs'); } catch (error) { exports.code = error.code; }",
        )
        .file("handler.js", "import { all, code } from './lib/all.cjs';\nexport default () => [all, code];")
        .serve();

    assert_eq!(host.get("/").json(), json!([[1, 2, true, "Module", "whole"], "ERR_REQUIRE_ASYNC_MODULE"]));
}

#[test]
fn a_file_without_words_of_either_kind_runs_as_the_kind_of_its_place() {
    let host = package(Site::new(), "script", "kind = this === undefined ? 'es' : 'common';")
        .file("lib/plain.js", "globalThis.own = this === undefined ? 'es' : 'common';")
        .file(
            "handler.js",
            "import 'script';\nimport './lib/plain.js';\nexport default () => [globalThis.kind, globalThis.own];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["common", "es"]));
}
