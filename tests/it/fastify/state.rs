//! What a reload keeps of the state of modules.

use serde_json::{Value, json};

use crate::support::{Host, Site};

/// A module with a counter, which it counts up for each call.
const COUNTER: &str = "let count = 0;\nexport const next = () => count += 1;\n";

/// Two counters behind two routes; a route's text has a version.
fn counters() -> Site {
    Site::new()
        .file("one.mjs", COUNTER)
        .file("two.mjs", COUNTER)
        .file("between.mjs", "export { next } from './two.mjs';\n")
        .file("routes/one/index.mjs", route("../../one.mjs", 1))
        .file("routes/two/index.mjs", route("../../between.mjs", 1))
        .file(
            "app.mjs",
            "import autoload from '@fastify/autoload';
             export default async function (fastify, opts) {
               fastify.register(autoload, { dir: `${import.meta.dirname}/routes` });
             }",
        )
}

fn route(import: &str, version: u32) -> String {
    format!(
        "import {{ next }} from '{import}';
         export default async (fastify, opts) => {{
           fastify.get('/', async () => ({{ count: next(), version: {version}, url: import.meta.url }}));
         }};"
    )
}

fn count(host: &Host, path: &str) -> Value {
    host.get(path).json()["count"].clone()
}

/// Saves a route until its new text answers.
fn save(host: &Host, name: &str, import: &str, version: u32) {
    host.site.write(&format!("routes/{name}/index.mjs"), route(import, version));
    host.until(&format!("/{name}"), |answer| {
        answer.status == 200 && answer.json()["version"] == json!(version)
    });
}

#[test]
fn a_module_begins_anew_with_what_it_imports() {
    let host = counters().dev();
    for path in ["/one", "/two", "/two"] {
        host.get(path);
    }

    save(&host, "one", "../../one.mjs", 2);
    assert!(count(&host, "/one").as_u64() > Some(2), "the route is new, the counter is not");
    assert_eq!(count(&host, "/two"), 3);

    // The module between the route and the counter has not changed, but what it imports has.
    let kept = count(&host, "/one").as_u64();
    host.site.write("two.mjs", COUNTER.replace("count = 0", "count = 100"));
    host.until("/two", |answer| answer.status == 200 && answer.json()["count"].as_u64() > Some(100));
    assert!(count(&host, "/one").as_u64() > kept);
}

#[test]
fn a_module_knows_its_own_file() {
    let host = counters().dev();
    let url = |host: &Host| host.get("/one").json()["url"].clone();
    let first = url(&host);
    assert!(first.as_str().is_some_and(|url| url.ends_with("/routes/one/index.mjs")), "{first}");
    save(&host, "one", "../../one.mjs", 2);
    assert_eq!(url(&host), first);
}

#[test]
fn code_that_does_not_load_leaves_the_state() {
    let host = counters().dev();
    assert_eq!(count(&host, "/one"), 1);

    host.site
        .write("routes/one/index.mjs", "import { next } from '../../one.mjs';\nthrow new Error('no');\n");
    host.log.next("routes/one/index.mjs:2");
    assert_eq!(count(&host, "/one"), 2);

    save(&host, "one", "../../one.mjs", 2);
    assert!(count(&host, "/one").as_u64() > Some(3));
}

#[test]
fn a_file_that_an_import_means_from_now_on_is_imported() {
    let host = counters()
        .file("kinds/index.js", "export const kind = 'folder';\n")
        .file(
            "routes/kind/index.mjs",
            "import { kind } from '../../kinds';
             export default async (fastify, opts) => { fastify.get('/', async () => kind); };",
        )
        .dev();
    assert_eq!(host.get("/kind").text(), "folder");
    host.site.write("kinds.js", "export const kind = 'file';\n");
    save(&host, "one", "../../one.mjs", 2);
    host.until("/kind", |answer| answer.text() == "file");
}

#[test]
fn commonjs_modules_keep_their_state() {
    let route = |version: u32| {
        format!(
            "const {{ next }} = require('../../store');
             module.exports = async (fastify, opts) => {{
               fastify.get('/', async () => ({{ count: next(), version: {version} }}));
             }};"
        )
    };
    let host = Site::new()
        .file("store.js", "let count = 0;\nexports.next = () => count += 1;\n")
        .file("routes/one/index.js", route(1))
        .file(
            "app.js",
            "module.exports = async function (fastify, opts) {
               fastify.register(require('@fastify/autoload'), { dir: `${__dirname}/routes` });
             };",
        )
        .dev();
    assert_eq!(count(&host, "/one"), 1);

    host.site.write("routes/one/index.js", route(2));
    host.until("/one", |answer| answer.status == 200 && answer.json()["version"] == 2);
    let kept = count(&host, "/one").as_u64();
    assert!(kept > Some(2), "{kept:?}");

    host.site.write("store.js", "let count = 0.5;\nexports.next = () => count += 1;\n");
    host.until("/one", |answer| answer.status == 200 && answer.json()["count"].is_f64());
}

/// The old tree has no socket, so it ends with the reload, and its intervals with it.
#[test]
fn intervals_of_an_old_tree_end() {
    let app = |version: u32| {
        format!(
            "import {{ ticks }} from './ticks.mjs';
             export default async function (fastify, opts) {{
               setInterval(() => ticks.push({version}), 5);
               fastify.get('/version', async () => '{version}');
               fastify.get('/ticks', async () => ticks.splice(0));
             }}"
        )
    };
    let host = Site::new().file("ticks.mjs", "export const ticks = [];\n").file("app.mjs", app(1)).dev();
    host.until("/ticks", |answer| answer.json().as_array().is_some_and(|ticks| ticks.contains(&json!(1))));

    host.site.write("app.mjs", app(2));
    host.until("/version", |answer| answer.text() == "2");
    host.get("/ticks");
    let ticks = host.until("/ticks", |answer| answer.json() != json!([])).json();
    assert_eq!(ticks.as_array().map(|ticks| ticks.contains(&json!(1))), Some(false), "{ticks}");
}
