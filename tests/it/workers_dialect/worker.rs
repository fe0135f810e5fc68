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
           async hello(name) { return { name, props: this.ctx.props, isOwn: this.env.ADMIN === own.ADMIN }; }
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
    assert_eq!(host.get("/").text(), "webflo");
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
         import data from './data.json';
         import same from './data.json' with { type: 'json' };
         import sum from './sum.wasm';
         import again from './sum.wasm?module';
         export default { fetch: () => Response.json([
           page instanceof ArrayBuffer, new TextDecoder().decode(page), text, data, same,
           new WebAssembly.Instance(sum).exports.add(2, 3), again instanceof WebAssembly.Module,
         ]) };",
    )
    .file("page.html", "<h1>p</h1>")
    .file("note.txt", "a note")
    .file("data.json", r#"{ "a": [1] }"#)
    .file("sum.wasm", SUM)
    .serve();

    let expected = json!([true, "<h1>p</h1>", "a note", { "a": [1] }, { "a": [1] }, 5, true]);
    assert_eq!(host.get("/").json(), expected);
}

/// A module of WebAssembly whose export `add` adds two numbers.
const SUM: &[u8] = b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\x0a\x09\x01\x07\0\x20\0\x20\x01\x6a\x0b";

/// The namespace is imported before the Worker's exports are known.
#[test]
fn exports_of_the_worker_are_imported() {
    let host = worker(
        "",
        "import { exports, WorkerEntrypoint } from 'cloudflare:workers';
         export class Greeter extends WorkerEntrypoint { hello(name) { return `hello ${name}`; } }
         export default { async fetch(request, env, ctx) {
           return Response.json([await exports.Greeter.hello('you'), Object.keys(exports).sort(), 'Greeter' in exports,
             Object.keys(ctx.exports).sort()]);
         } };",
    )
    .serve();

    let names = json!(["Greeter", "default"]);
    assert_eq!(host.get("/").json(), json!(["hello you", names, true, names]));
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
fn headers_are_those_that_workers_expect() {
    let host = worker(
        "",
        "export default { fetch: ({ headers }) => Response.json([headers.get('CF-Connecting-IP'), headers.get('Upgrade'), [...headers.keys()].includes('cf-connecting-ip')]) };",
    )
    .serve();

    let request = host.request("GET", "/").header("cf-connecting-ip", "10.9.8.7").header("upgrade", "H2C");
    assert_eq!(request.send().json(), json!(["127.0.0.1", "h2c", true]));
}

#[test]
fn what_means_nothing_here_does_no_harm() {
    let host = worker(
        "",
        "export default { async fetch(request, env, ctx) {
           ctx.passThroughOnException();
           await caches.default.put(request, new Response('kept'));
           const refusal = (() => { try { new HTMLRewriter(); } catch (error) { return error.message; } })();
           return Response.json([request.cf, (await caches.default.match(request)) ?? null, refusal]);
         } };",
    )
    .serve();

    let answer = host.get("/").json();
    assert_eq!((&answer[0], &answer[1]), (&json!({}), &json!(null)));
    assert!(
        answer[2].as_str().is_some_and(|text| text.contains("HTMLRewriter is not available")),
        "{answer}"
    );
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

/// What cannot be read again is refused when it is stored, and spoils no list.
#[test]
fn storage_refuses_objects_whose_state_it_cannot_keep() {
    let host = worker(
        "durable_objects.bindings = [{ name = \"O\", class_name = \"O\" }]\n",
        "import { DurableObject } from 'cloudflare:workers';
         const name = async (work) => { try { await work(); return 'stored'; } catch (error) { return error.name; } };
         class Own { a = 1; }
         export class O extends DurableObject {
           async keep() {
             const { storage } = this.ctx;
             const loop = { list: [1, new Map([['a', new Set([new Date(0)])]])] };
             loop.self = loop;
             const values = [new Blob(['x']), new File(['x'], 'f'), new URL('http://x'), new URLSearchParams(), new FormData(),
               new Headers(), new AbortController().signal, new Event('e'), { in: [new Map([['deep', new URL('http://x')]])] },
               loop, new Own(), new DOMException('m', 'AbortError'), new RangeError('r'), new Uint8Array(3), null];
             const kept = [];
             for (let i = 0; i < values.length; i++) kept.push(await name(() => storage.put(`v${i}`, values[i])));
             const list = await storage.list();
             return [kept, list.size, list.get('v9').self === list.get('v9'), list.get('v10').a, list.get('v11').name];
           }
         }
         export default { async fetch(request, env) { return Response.json(await env.O.getByName('x').keep()); } };",
    )
    .serve();

    let kept = [vec!["DataCloneError"; 9], vec!["stored"; 6]].concat();
    assert_eq!(host.get("/").json(), json!([kept, 6, true, 1, "AbortError"]));
}

/// Libraries take the methods of sockets from the prototype of their one class.
#[test]
fn sockets_have_one_class() {
    let host = worker(
        "",
        "export default { fetch() {
           const { accept, serializeAttachment, deserializeAttachment } = WebSocket.prototype;
           const { 0: one, 1: two } = new WebSocketPair();
           accept.call(one);
           const state = one.readyState === WebSocket.READY_STATE_OPEN;
           const refused = [];
           for (const method of [accept, deserializeAttachment]) try { method.call({}); } catch (error) { refused.push(error.message); }
           return Response.json([typeof serializeAttachment, one.constructor === WebSocket, two instanceof WebSocket, state,
             WebSocket.READY_STATE_CLOSED, refused]);
         } };",
    )
    .serve();

    let refused = ["accept", "deserializeAttachment"]
        .map(|it| format!("{it}() is a method of the sockets of a WebSocketPair."));
    assert_eq!(host.get("/").json(), json!(["function", true, true, true, 3, refused]));
}

/// Calls of entrypoints take and give what calls of actors do.
#[test]
fn entrypoints_pass_stubs_and_messages() {
    let host = worker(
        "services = [{ binding = \"AUTH\", service = \"app\", entrypoint = \"Auth\" }]\n",
        "import { RpcTarget, WorkerEntrypoint } from 'cloudflare:workers';
         class Session extends RpcTarget { #user; constructor(user) { super(); this.#user = user; } whoami() { return this.#user; } }
         class Own {}
         export class Auth extends WorkerEntrypoint {
           login(user) { return new Session(user); }
           async ask(session, ask) { return [await session.whoami(), await ask('?')]; }
           headers() { return new Headers({ a: '1' }); }
           response() { return new Response('body', { status: 202 }); }
           change(list) { list.push(2); return list; }
           own() { return new Own(); }
         }
         export default { async fetch(request, { AUTH }) {
           const list = [1], changed = await AUTH.change(list), response = await AUTH.response();
           return Response.json([
             await (await AUTH.login('a')).whoami(), await AUTH.login('b').whoami(),
             await AUTH.ask(new Session('c'), (text) => `asked ${text}`), (await AUTH.headers()).get('a'),
             response.status, await response.text(), list, changed, await AUTH.own().catch((error) => error.name),
           ]);
         } };",
    )
    .serve();

    let expected = json!(["a", "b", ["c", "asked ?"], "1", 202, "body", [1], [1, 2], "DataCloneError"]);
    assert_eq!(host.get("/").json(), expected);
}

#[test]
fn libraries_know_that_they_run_in_a_worker() {
    let module = "export default { fetch: () => Response.json({
        agent: navigator.userAgent,
        isWorker: globalThis instanceof ServiceWorkerGlobalScope && self instanceof WorkerGlobalScope,
        phrases: [new Response('').statusText, new Response('', { status: 404 }).statusText, Response.error().statusText],
        empty: new Response('', { status: 204 }).body,
        own: new Response('x', { status: 404, statusText: 'Gone away' }).clone().statusText,
      }) };";
    let host = worker("", module).serve();

    let expected = json!({
        "agent": "Cloudflare-Workers",
        "isWorker": true,
        "phrases": ["OK", "Not Found", ""],
        "empty": null,
        "own": "Gone away",
    });
    assert_eq!(host.get("/").json(), expected);
}

#[test]
fn packages_are_those_for_workers() {
    let package = |fields: &str| format!("{{ \"name\": \"p\", \"version\": \"1.0.0\", {fields} }}");
    let site = worker(
        "",
        "import a from 'a'; import b from 'b'; import c from 'c'; import d from 'd'; import fs from 'e';
         export default { fetch: () => Response.json([a, b, c, d, typeof fs.readFileSync]) };",
    );
    let conditions =
        r#""type": "module", "exports": { "node": "./n.js", "workerd": "./w.js", "default": "./n.js" }"#;
    let browser =
        r#""exports": { "node": { "browser": "./n.js", "default": "./n.js" }, "browser": "./w.js" }"#;
    let host = site
        .file("node_modules/a/package.json", package(conditions))
        .file("node_modules/b/package.json", package(&format!("\"type\": \"module\", {browser}")))
        .file(
            "node_modules/c/package.json",
            package(r#""type": "module", "main": "./n.js", "browser": "./w.js""#),
        )
        .file(
            "node_modules/d/package.json",
            package(r#""type": "module", "main": "./i.js", "browser": { "./n.js": "./w.js" }"#),
        )
        .file("node_modules/d/i.js", "export { default } from './n.js';")
        .file(
            "node_modules/e/package.json",
            package(r#""type": "module", "main": "./i.js", "browser": { "fs": false }"#),
        )
        .file("node_modules/e/i.js", "export { default } from 'fs';");
    let host = ["a", "b", "c", "d"].into_iter().fold(host, |site, name| {
        site.file(&format!("node_modules/{name}/n.js"), "export default 'for node';")
            .file(&format!("node_modules/{name}/w.js"), "export default 'for workers';")
    });

    let answer = host.serve().get("/").json();

    let workers = "for workers";
    assert_eq!(answer, json!([workers, workers, workers, workers, "function"]));
}

#[test]
fn packages_of_common_js_require_what_is_for_workers() {
    let package =
        |name: &str, fields: &str| format!("{{ \"name\": \"{name}\", \"version\": \"1.0.0\"{fields} }}");
    let exports = [
        ("workerd", r#"{ "node": "./n.js", "workerd": "./w.js", "default": "./n.js" }"#),
        ("worker", r#"{ "node": "./n.js", "require": { "worker": "./w.js", "default": "./n.js" } }"#),
        (
            "browser",
            r#"{ "import": "./n.js", "browser": { "import": "./n.js", "require": "./w.js" }, "default": "./n.js" }"#,
        ),
        ("plain", r#"{ "import": "./n.js", "require": "./w.js" }"#),
    ];
    let names = exports.map(|(name, _)| name);
    let site = worker(
        "",
        "import all, { workerd } from 'all'; export default { fetch: () => Response.json([all, workerd]) };",
    )
    .file("node_modules/all/package.json", package("all", ""))
    .file(
        "node_modules/all/index.js",
        format!(
            "module.exports = {{ {} }};",
            names.map(|name| format!("{name}: require('{name}').is")).join(", ")
        ),
    );
    let site = exports.into_iter().fold(site, |site, (name, exports)| {
        site.file(
            &format!("node_modules/{name}/package.json"),
            package(name, &format!(", \"exports\": {exports}")),
        )
        .file(&format!("node_modules/{name}/n.js"), "exports.is = 'for node';")
        .file(&format!("node_modules/{name}/w.js"), "exports.is = 'for workers';")
    });

    let answer = site.serve().get("/").json();

    let workers = "for workers";
    let all = json!({ "workerd": workers, "worker": workers, "browser": workers, "plain": workers });
    assert_eq!(answer, json!([all, workers]));
}

#[test]
fn files_without_code_may_be_in_packages_above_the_project() {
    let host = Site::new()
        .file("package.json", "{}")
        .file("node_modules/p/package.json", r#"{ "name": "p", "version": "1.0.0" }"#)
        .file("node_modules/p/text.txt", "from a package")
        .file("apps/one/wrangler.toml", "name = \"one\"\nmain = \"worker.js\"\n")
        .file(
            "apps/one/worker.js",
            "import text from 'p/text.txt'; export default { fetch: () => new Response(text) };",
        )
        .serving("apps/one")
        .serve();
    assert_eq!(host.get("/").text(), "from a package");
}

#[test]
fn es_modules_may_require_as_for_a_bundler() {
    let module = "const path = require('node:path');
      const { value } = require('./common.cjs');
      import { own } from './own.mjs';
      export default { fetch: () => Response.json([path.basename('/a/b'), value, own]) };";
    let host = worker("", module)
        .file("common.cjs", "exports.value = 'common';")
        .file("own.mjs", "const require = () => 'its own';\nexport const own = require('x');")
        .serve();
    assert_eq!(host.get("/").json(), json!(["b", "common", "its own"]));
}
