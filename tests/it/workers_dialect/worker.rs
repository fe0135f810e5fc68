//! Modules that are a whole Worker.

use serde_json::json;

use super::worker;
use crate::support::Site;

#[test]
fn the_default_export_answers_every_path() {
    let host = worker(
        "[vars]\nNAME = \"x\"\n",
        "export default { fetch(request, env, ctx) { return new Response(`${request.method} ${new URL(request.url).pathname} ${env.NAME} ${ctx}`); } };",
    )
    .serve();

    assert_eq!(host.get("/a/b").text(), "GET /a/b x [object ExecutionContext]");
    assert_eq!(host.request("POST", "/").send().text(), "POST / x [object ExecutionContext]");
}

#[test]
fn entrypoints_are_classes_and_call_each_other() {
    let host = worker(
        "[[services]]\nbinding = \"ADMIN\"\nservice = \"app\"\nentrypoint = \"Admin\"\nprops = { level = 3 }\n",
        "import { WorkerEntrypoint, env as own } from 'cloudflare:workers';
         export class Admin extends WorkerEntrypoint {
           async hello(name) { return { name, props: this.ctx.props, isOwn: this.env === own }; }
           fetch(request) { return new Response(`admin ${new URL(request.url).pathname}`); }
         }
         export default class extends WorkerEntrypoint {
           async fetch(request) {
             switch (new URL(request.url).pathname) {
               case '/rpc': return Response.json(await this.env.ADMIN.hello('n'));
               case '/fetch': return this.env.ADMIN.fetch('http://any/thing');
               case '/none': return new Response(await this.env.ADMIN.nothing().catch((error) => error.message));
               default: return Response.json(Object.keys(this.ctx.exports));
             }
           }
         }",
    )
    .serve();

    assert_eq!(host.get("/rpc").json(), json!({ "name": "n", "props": { "level": 3 }, "isOwn": true }));
    assert_eq!(host.get("/fetch").text(), "admin /thing");
    assert!(host.get("/none").text().contains("does not implement the method \"nothing\""));
    assert_eq!(host.get("/").json(), json!(["Admin", "default"]));
}

#[test]
fn a_module_without_configuration_is_known_by_its_shape() {
    let module = "export default { fetch: () => new Response('shaped') };";
    for file in ["worker.js", "src/index.ts", "_worker.js"] {
        let host = Site::new().file(file, module).serve();
        assert_eq!(host.get("/any/path").text(), "shaped", "{file}");
    }
    // In a folder of Webflo's handlers it is a file like others.
    let host =
        Site::new().file("worker.js", module).file("handler.js", "export default () => 'webflo'").serve();
    assert_eq!(host.get("/").json(), json!("webflo"));
}

#[test]
fn modules_import_each_other_and_node() {
    let host = worker(
        "compatibility_flags = [\"nodejs_compat\"]\n[vars]\nMODE = \"edge\"\n",
        "import { AsyncLocalStorage } from 'async_hooks';
         import { greet } from './lib/greet.ts';
         const storage = new AsyncLocalStorage();
         export default { fetch: () => storage.run('stored', async () => { await null; return new Response(greet(storage.getStore()) + process.env.MODE); }) };",
    )
    .file("lib/greet.ts", "export const greet = (name: string): string => `hello ${name} `;")
    .serve();

    assert_eq!(host.get("/").text(), "hello stored edge");
}

#[test]
fn files_without_code_are_imported_by_rules() {
    let host = worker(
        "[[rules]]\ntype = \"Data\"\nglobs = [\"**/*.html\"]\n",
        "import page from './page.html';
         import text from './note.txt';
         export default { fetch: () => Response.json([page instanceof ArrayBuffer, new TextDecoder().decode(page), text]) };",
    )
    .file("page.html", "<h1>p</h1>")
    .file("note.txt", "a note")
    .serve();

    assert_eq!(host.get("/").json(), json!([true, "<h1>p</h1>", "a note"]));
}

#[test]
fn the_output_of_a_build_runs() {
    let built = r#"{ "name": "app", "main": "index.js", "no_bundle": true, "compatibility_date": "2026-01-01",
        "assets": { "directory": "../client" }, "rules": [{ "type": "ESModule", "globs": ["**/*.js", "**/*.mjs"] }] }"#;
    let site = Site::new()
        .file("dist/worker/wrangler.json", built)
        .file(
            "dist/worker/index.js",
            "import { part } from './assets/part.js'; export default { fetch: () => new Response(part) };",
        )
        .file("dist/worker/assets/part.js", "export const part = 'built';")
        .file("dist/client/app.css", "x {}")
        .file("src/index.js", "export default { fetch: () => new Response('source') };")
        .file("wrangler.toml", "main = \"src/index.js\"\n");
    let redirect = r#"{ "configPath": "../../dist/worker/wrangler.json" }"#;
    let host = site.file(".wrangler/deploy/config.json", redirect).serve();

    assert_eq!(host.get("/").text(), "built");
    assert_eq!(host.get("/app.css").text(), "x {}");
}

#[test]
fn a_saved_configuration_takes_effect() {
    let host =
        worker("[vars]\nV = \"one\"\n", "export default { fetch: (request, env) => new Response(env.V) };")
            .dev();
    assert_eq!(host.get("/").text(), "one");

    host.site.write("wrangler.toml", "main = \"worker.js\"\n[vars]\nV = \"two\"\n");

    host.until("/", |answer| answer.text() == "two");
}
