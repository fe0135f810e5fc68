//! What browsers get: the app's script, the modules of client handlers, and nothing else of the routes folder.

use std::collections::HashSet;
use std::io::Read;

use flate2::read::GzDecoder;

use crate::support::{Answer, Host, Site};

/// The size that the app's script must stay below, compressed.
const BUDGET: usize = 20_000;

fn gunzipped(answer: &Answer) -> String {
    let mut text = String::new();
    GzDecoder::new(&*answer.body).read_to_string(&mut text).expect("a compressed text");
    text
}

/// The modules of client handlers that `/app.js` names.
fn manifest(host: &Host) -> String {
    let script = host.get("/app.js");
    let (_, manifest) = script.text().rsplit_once("({\"client\"").expect("the manifest stands last");
    format!("{{\"client\"{}", manifest.trim_end().trim_end_matches(");"))
}

#[track_caller]
fn refused(host: &Host, path: &str) {
    let answer = host.get(path);
    assert_eq!(answer.status, 404, "{path}: {answer:?}");
    assert!(!answer.text().contains("SECRET"), "{path}: {answer:?}");
}

#[test]
fn the_script_is_small_and_compressed_if_the_client_accepts_it() {
    let host = Site::new().serve();
    let plain = host.get("/app.js");
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("content-type"), Some("text/javascript;charset=UTF-8"));
    assert_eq!(plain.header("content-encoding"), None);
    let small = host.request("GET", "/app.js").header("accept-encoding", "br, gzip").send();
    assert_eq!(small.header("content-encoding"), Some("gzip"));
    assert_eq!(small.header("vary"), Some("Accept-Encoding"));
    assert_eq!(gunzipped(&small), plain.text());
    assert!(small.body.len() < BUDGET, "{} bytes", small.body.len());
}

/// Pages have no captured built-ins: `ArrayPrototypePush(list, item)` has to be `list.push(item)` there.
#[test]
fn what_browsers_run_uses_built_ins_by_their_own_names() {
    let captured = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/runtime-js/primordials.js"));
    let captured = captured.expect("a readable file");
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let is_capture = |word: &&str| {
        let objects = ["Array", "JSON", "Math", "Number", "Object", "Promise", "Reflect", "Safe", "String"];
        let member = objects.iter().find_map(|object| word.strip_prefix(object));
        let is_method = word.contains("Prototype") && word.starts_with(|c: char| c.is_uppercase());
        *word != "ArrayBuffer"
            && (is_method || member.is_some_and(|it| it.starts_with(|c: char| c.is_uppercase())))
    };
    let captures: HashSet<_> = captured.split(|c| !is_word(c)).filter(is_capture).collect();
    assert!(captures.contains("ArrayPrototypePush") && captures.contains("ObjectSetPrototypeOf"));

    let host = Site::new().serve();
    let parts =
        ["binding", "events", "handlers", "live", "sockets"].map(|part| format!("/.liveline/app/{part}.js"));
    for path in
        ["/app.js", "/app.mjs", "/.liveline/worker.js"].into_iter().chain(parts.iter().map(|it| &**it))
    {
        let script = host.get(path);
        assert_eq!(script.status, 200, "{path}");
        let left: Vec<_> =
            script.text().split(|c| !is_word(c)).filter(|word| captures.contains(word)).collect();
        assert!(left.is_empty(), "{path} uses {left:?}");
    }
}

#[test]
fn the_script_is_asked_for_anew_and_sent_once() {
    let host = Site::new().serve();
    let first = host.get("/app.js");
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    let etag = first.header("etag").expect("a tag").to_owned();
    let again = host.request("GET", "/app.js").header("if-none-match", &etag).send();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = host.request("HEAD", "/app.js").send();
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), Some(&*etag));
}

#[test]
fn the_script_comes_as_a_module_too() {
    let host = Site::new().serve();
    let module = host.get("/app.mjs");
    assert_eq!(module.header("content-type"), Some("text/javascript;charset=UTF-8"));
    assert!(module.text().contains("import \"/app.js\""), "{module:?}");
    for part in ["binding", "events", "handlers", "live", "sockets", "worker"] {
        let part = host.get(&format!("/.liveline/app/{part}.js"));
        assert!(part.text().starts_with("export default"), "{part:?}");
    }
}

#[test]
fn a_client_handler_is_served_with_what_it_imports() {
    let host = Site::new()
        .file("app/shop/handler.client.ts", "import { price } from \"./lib/price.ts\";\nimport Observer from '@webqit/observer';\nexport default (event: Event): number => price(Observer);\n")
        .file("app/shop/lib/price.ts", "import { LiveResponse } from \"@webqit/webflo\";\nexport { tax } from \"../../tax.js\";\nexport const price = (n: any): number => LiveResponse && n;\nimport(\"./later.js\");\n")
        .file("app/shop/lib/later.js", "export const later = 1;\n")
        .file("app/tax.js", "export const tax = 1;\n")
        .serve();
    assert_eq!(
        manifest(&host),
        r#"{"client":[["/shop","/.liveline/client/shop/handler.client.ts"]],"worker":false}"#
    );
    let handler = host.get("/.liveline/client/shop/handler.client.ts");
    assert_eq!(handler.header("content-type"), Some("text/javascript;charset=UTF-8"));
    assert!(handler.text().contains("from \"/.liveline/client/shop/lib/price.ts\""), "{handler:?}");
    assert!(
        handler.text().contains("from \"/.liveline/client/@liveline/@webqit/observer.js\""),
        "{handler:?}"
    );
    assert!(!handler.text().contains(": number"), "{handler:?}");
    let price = host.get("/.liveline/client/shop/lib/price.ts");
    assert!(price.text().contains("from \"/.liveline/client/tax.js\""), "{price:?}");
    assert!(price.text().contains("import(\"/.liveline/client/shop/lib/later.js\")"), "{price:?}");
    assert_eq!(host.get("/.liveline/client/shop/lib/later.js").status, 200);
    assert_eq!(host.get("/.liveline/client/tax.js").status, 200);
    let own = host.get("/.liveline/client/@liveline/@webqit/observer.js");
    assert!(own.text().contains("globalThis"), "{own:?}");
}

#[test]
fn live_functions_of_client_handlers_are_compiled_and_announced() {
    let host = Site::new()
        .file("app/handler.client.js", "export default live function () { return { n: 1 }; }\n")
        .serve();
    let handler = host.get("/.liveline/client/handler.client.js");
    assert!(!handler.text().contains("live function"), "{handler:?}");
    assert!(handler.text().contains("from \"/.liveline/client/@liveline/live.js\""), "{handler:?}");
    assert!(host.get("/.liveline/client/@liveline/live.js").text().contains("liveline.live"));
    assert!(manifest(&host).contains("\"live\":true"), "{}", manifest(&host));
}

#[test]
fn packages_come_along_as_browsers_get_them() {
    let host = Site::new()
        .file("app/handler.client.js", "import { name } from \"greeting\";\nexport default () => name;\n")
        .file(
            "node_modules/greeting/package.json",
            r#"{ "name": "greeting", "type": "module", "exports": { "browser": "./browser.js", "default": "./node.js" } }"#,
        )
        .file("node_modules/greeting/browser.js", "export { name } from './name.js';\n")
        .file("node_modules/greeting/name.js", "export const name = 'browser';\n")
        .file("node_modules/greeting/node.js", "export const name = 'SECRET';\n")
        .serve();
    let handler = host.get("/.liveline/client/handler.client.js");
    assert!(handler.text().contains("/.liveline/client/@packages/greeting/browser.js"), "{handler:?}");
    assert_eq!(host.get("/.liveline/client/@packages/greeting/name.js").status, 200);
    refused(&host, "/.liveline/client/@packages/greeting/node.js");
}

#[test]
fn nothing_else_of_the_routes_folder_is_served() {
    let host = Site::new()
        .file("app/handler.js", "export default (event, next) => next(); // SECRET\n")
        .file("app/a/handler.server.js", "export default (event, next) => next(); // SECRET\n")
        .file("app/a/handler.client.js", "import './known.js';\nexport default () => 1;\n")
        .file("app/a/known.js", "// it is imported\n")
        .file("app/a/unknown.js", "// SECRET\n")
        .file("app/a/types.ts", "type SECRET = 1;\n")
        .file("secret.js", "// SECRET\n")
        .serve();
    assert_eq!(host.get("/.liveline/client/a/known.js").status, 200);
    for path in [
        "/.liveline/client/handler.js",
        "/.liveline/client/a/handler.server.js",
        "/.liveline/client/a/unknown.js",
        "/.liveline/client/a/types.ts",
        "/.liveline/client/../secret.js",
        "/.liveline/client/%2e%2e/secret.js",
        "/.liveline/client/..%2fsecret.js",
        "/.liveline/client/a/../handler.js",
        "/.liveline/client/a/..%2F..%2Fsecret.js",
        "/.liveline/client/a/known.js%00",
        "/.liveline/client/",
        "/.liveline/client/a",
        "/.liveline/app/app.js",
        "/.liveline/app/../client/a/unknown.js",
    ] {
        refused(&host, path);
    }
}

#[test]
fn what_the_server_keeps_cannot_be_imported() {
    let cases = [
        ("import '../handler.js';", "it is a handler of the server"),
        ("import './handler.server.ts';", "it is a handler of the server"),
        ("import '../../secret.js';", "outside of"),
        ("import './style.css';", "it is no JavaScript module"),
        ("import { client } from 'liveline:sql';", "only the server has it"),
        ("import './missing.js';", "there is no such file"),
        ("import 'no-such-package';", "no such package"),
        ("const x = ;", "SyntaxError"),
    ];
    for (code, reason) in cases {
        let checked = Site::new()
            .file("app/handler.js", "export default () => 1;\n")
            .file("app/a/handler.server.ts", "export default () => 1;\n")
            .file("app/a/style.css", "")
            .file("secret.js", "export const SECRET = 1;\n")
            .file("app/a/handler.client.js", format!("// first line\n{code}\nexport default () => 1;\n"))
            .run("check");
        assert_eq!(checked.code, Some(1), "{code}: {}", checked.output());
        assert!(checked.stderr.contains(reason), "{code}: {}", checked.output());
        assert!(checked.stderr.contains("handler.client.js:2:"), "{code}: {}", checked.output());
    }
}

#[test]
fn a_broken_client_handler_is_shown_with_its_place_and_the_old_code_stays() {
    let host = Site::new().file("handler.client.js", "export default () => 1;\n").dev();
    let old = host.get("/.liveline/client/handler.client.js");
    host.site.write("handler.client.js", "export default () => 1;\nconst = 2;\n");
    host.log.next("reload failed");
    let shown = host.log.next("handler.client.js:2:");
    assert!(!shown.is_empty());
    assert_eq!(host.get("/.liveline/client/handler.client.js").body, old.body);
    host.site.write("handler.client.js", "export default () => 2;\n");
    host.log.next("reloaded in");
    let new = host.get("/.liveline/client/handler.client.js");
    assert_eq!(new.text(), "export default () => 2;\n");
    assert_ne!(new.header("etag"), old.header("etag"));
}

#[test]
fn the_manifest_follows_a_reload() {
    let host = Site::new().file("handler.js", "export default () => 1;\n").dev();
    assert_eq!(manifest(&host), r#"{"client":[],"worker":false}"#);
    let before = host.get("/app.js").header("etag").map(str::to_owned);
    host.site.write("a b/handler.client.js", "export default () => 1;\n");
    host.log.next("reloaded in");
    assert_eq!(
        manifest(&host),
        r#"{"client":[["/a b","/.liveline/client/a%20b/handler.client.js"]],"worker":false}"#
    );
    assert_eq!(host.get("/.liveline/client/a%20b/handler.client.js").status, 200);
    assert_ne!(host.get("/app.js").header("etag").map(str::to_owned), before);
}

#[test]
fn the_service_worker_runs_its_handlers_for_the_whole_site() {
    let host = Site::new()
        .file("handler.worker.js", "export default (event, next) => next();\n")
        .file("a/handler.worker.js", "import '../shared.js';\nexport default () => 1;\n")
        .file("shared.js", "")
        .serve();
    let worker = host.get("/.liveline/worker.js");
    assert_eq!(worker.header("service-worker-allowed"), Some("/"));
    assert_eq!(
        worker.text(),
        "import start from \"/.liveline/app/worker.js\";
import * as handler0 from \"/.liveline/client/handler.worker.js\";
import * as handler1 from \"/.liveline/client/a/handler.worker.js\";
start([[\"/\", handler0], [\"/a\", handler1]]);\n"
    );
    assert_eq!(host.get("/.liveline/client/shared.js").status, 200);
    assert!(manifest(&host).contains("\"worker\":true"));
}

#[test]
fn routes_lists_every_layer() {
    let listed = Site::new()
        .file("handler.js", "export default () => 1;\n")
        .file("handler.client.js", "export function POST() {}\n")
        .file("handler.worker.js", "export default () => 1;\n")
        .run("routes");
    for line in ["handler.client.js  client", "handler.worker.js  worker", "handler.js         server"] {
        assert!(listed.stdout.contains(line), "{}", listed.output());
    }
}

#[test]
fn a_post_to_the_scripts_address_is_for_the_handlers() {
    let host = Site::new().file("handler.js", "export function POST() { return 'mine'; }\n").serve();
    assert_eq!(host.request("POST", "/app.js").send().text(), "mine");
}

#[test]
fn a_page_receives_the_address_of_a_redirect_to_another_host() {
    let host = Site::new()
        .file("away/handler.js", "export default (event) => event.redirect('https://other.example/x');\n")
        .file("near/handler.js", "export default (event) => event.redirect('/away', 303);\n")
        .serve();
    let ask =
        |path: &str| host.request("GET", path).header("x-redirect-policy", "manual-when-cross-origin").send();
    let away = ask("/away");
    assert_eq!((away.status, away.header("x-redirect-code")), (200, Some("302")));
    assert_eq!(away.header("location"), Some("https://other.example/x"));
    let near = ask("/near");
    assert_eq!((near.status, near.header("x-redirect-code")), (303, None));
    assert_eq!(host.get("/away").status, 302);
}
