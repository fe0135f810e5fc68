//! The tree of plugins: order, encapsulation, errors, and what is listed.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{application, plugin};
use crate::support::{Site, executable};

/// The shop of the examples, as its README starts it.
fn shop() -> Site {
    Site::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fastify/mock-srv"))
}

#[test]
fn the_shop_answers_without_an_installation() {
    let host = shop().serve();

    let products = host.get("/electronics");
    assert_eq!(products.json()[0]["id"], "A1");
    assert_eq!(products.header("access-control-allow-origin"), Some("*"));
    let added = host
        .request("POST", "/electronics")
        .header("content-type", "application/json")
        .header("origin", "http://localhost:5050")
        .body(r#"{"name":"Toaster","rrp":"30","info":"brown"}"#)
        .send();
    assert_eq!(added.json()[2]["id"], "A3");
    let nothing = host.get("/zzz");
    assert_eq!(nothing.status, 404);
    assert_eq!(
        nothing.json(),
        json!({ "message": "Route GET:/zzz not found", "error": "Not Found", "statusCode": 404 })
    );
    let socket = host.get("/orders/electronics");
    assert_eq!((socket.status, socket.text()), (404, ""));
}

#[test]
fn bodies_that_cannot_be_parsed_have_their_codes() {
    let host = application("fastify.post('/', async (request) => request.body);").serve();
    let answer = |kind: &str, body: String| {
        let answer = host.request("POST", "/").header("content-type", kind).body(body).send();
        (answer.status, answer.json()["code"].clone())
    };

    assert_eq!(answer("application/json", "{bad".into()), (400, json!("FST_ERR_CTP_INVALID_JSON_BODY")));
    assert_eq!(answer("application/json", String::new()), (400, json!("FST_ERR_CTP_EMPTY_JSON_BODY")));
    assert_eq!(answer("text/csv", "a,b".into()), (415, json!("FST_ERR_CTP_INVALID_MEDIA_TYPE")));
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    assert_eq!(answer("application/json", large), (413, json!("FST_ERR_CTP_BODY_TOO_LARGE")));
}

#[test]
fn schemas_validate_and_serialize() {
    let host = application(
        "fastify.post('/', {
           schema: {
             body: { type: 'object', required: ['n'], properties: { n: { type: 'integer' } } },
             response: { 200: { type: 'object', properties: { n: { type: 'integer' } } } },
           },
         }, async (request) => ({ ...request.body, secret: 1 }));",
    )
    .serve();
    let post = |body: &str| {
        host.request("POST", "/").header("content-type", "application/json").body(body.to_owned()).send()
    };

    assert_eq!(post(r#"{"n":"5"}"#).json(), json!({ "n": 5 }));
    let refused = post(r#"{"n":"x"}"#);
    assert_eq!((refused.status, refused.json()["message"].as_str()), (400, Some("body/n must be integer")));
}

#[test]
fn plugins_are_encapsulated_and_prefixed() {
    let host = application(
        "fastify.register(async (inner) => {
           inner.decorate('secret', 1);
           inner.addHook('onRequest', async (request, reply) => { reply.header('x-hook', 'inner'); });
           inner.get('/a', async () => ({ own: inner.secret, outer: fastify.secret === undefined }));
         }, { prefix: '/v1' });
         fastify.get('/b', async () => ({ has: fastify.hasDecorator('secret') }));",
    )
    .serve();

    let inner = host.get("/v1/a");
    assert_eq!((inner.json(), inner.header("x-hook")), (json!({ "own": 1, "outer": true }), Some("inner")));
    let outer = host.get("/b");
    assert_eq!((outer.json(), outer.header("x-hook")), (json!({ "has": false }), None));
}

#[test]
fn hooks_run_in_their_order() {
    let host = application(
        "const seen = [];
         for (const name of ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse'])
           fastify.addHook(name, async (...given) => { seen.push(name); });
         fastify.get('/', async () => { seen.push('handler'); return { a: 1 }; });
         fastify.get('/seen', { onRequest: [] }, async () => seen.splice(0));",
    )
    .serve();

    host.get("/");
    let seen = host.get("/seen").json();
    let names: Vec<_> = seen.as_array().unwrap().iter().take(8).map(|it| it.as_str().unwrap()).collect();
    let expected = "onRequest preParsing preValidation preHandler handler preSerialization onSend onResponse";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn common_js_and_callbacks_work_as_well() {
    let host = Site::new()
        .file(
            "app.js",
            "'use strict'
             const fp = require('fastify-plugin');
             const path = require('node:path');
             module.exports = function (fastify, opts, done) {
               fastify.register(require('@fastify/autoload'), { dir: path.join(__dirname, 'routes') });
               fastify.register(fp((instance, o, next) => { instance.decorate('shared', 7); next(); }));
               done();
             };",
        )
        .file(
            "routes/items/index.js",
            "module.exports = async function (fastify, opts) {
               fastify.get('/:id', (request, reply) => { reply.send({ id: request.params.id, shared: fastify.shared, at: opts.prefix }); });
             };",
        )
        .file("package.json", "{}")
        .serve();

    assert_eq!(host.get("/items/8").json(), json!({ "id": "8", "shared": 7, "at": "/items" }));
}

#[test]
fn folders_of_plugins_need_no_application_file() {
    let host = Site::new()
        .file(
            "plugins/a.mjs",
            "import fp from 'fastify-plugin';\nexport default fp(async (f) => { f.decorate('n', 3); });",
        )
        .file("routes/x/index.mjs", plugin("fastify.get('/', async () => ({ n: fastify.n }));"))
        .serve();

    assert_eq!(host.get("/x").json(), json!({ "n": 3 }));
}

#[test]
fn a_second_decorator_is_an_error_with_both_places() {
    let site = Site::new()
        .file(
            "app.mjs",
            "import fp from 'fastify-plugin';
             import one from './one.mjs';
             import two from './two.mjs';
             export default async function (fastify, opts) {
               fastify.register(one);
               fastify.register(two);
             }",
        )
        .file(
            "one.mjs",
            "import fp from 'fastify-plugin';\nexport default fp(async (f) => { f.decorate('a', 1); });",
        )
        .file(
            "two.mjs",
            "import fp from 'fastify-plugin';\nexport default fp(async (f) => { f.decorate('a', 2); });",
        );

    let host = site.dev();
    let printed = host.until("/", |answer| answer.status == 500).text().to_owned();

    assert!(printed.contains("The decorator 'a' has already been added!"), "{printed}");
    assert!(printed.contains("two.mjs:2") && printed.contains("one.mjs:2"), "{printed}");
}

#[test]
fn a_plugin_that_never_ends_is_named() {
    let site = Site::new().file(
        "app.mjs",
        "import fp from 'fastify-plugin';
         export const options = { pluginTimeout: 200 };
         export default async function (fastify, opts) {
           fastify.register(fp((instance, o, done) => {}, { name: 'slow-one' }));
         }",
    );

    let host = site.dev();
    let printed = host.until("/", |answer| answer.text().contains("slow-one")).text().to_owned();

    assert!(printed.contains("Plugin did not start in time: 'slow-one'"), "{printed}");
    assert!(printed.contains("app.mjs:4"), "{printed}");
}

#[test]
fn a_missing_dependency_is_named() {
    let site = Site::new().file(
        "app.mjs",
        "import fp from 'fastify-plugin';
         export default async function (fastify, opts) {
           fastify.register(fp(async () => {}, { name: 'p', dependencies: ['x'] }));
         }",
    );

    let host = site.dev();
    let printed = host.until("/", |answer| answer.status == 500).text().to_owned();

    assert!(printed.contains("The dependency 'x' of plugin 'p' is not registered"), "{printed}");
    assert!(printed.contains("app.mjs:3"), "{printed}");
}

#[test]
fn files_of_public_come_where_no_route_answers() {
    let host = application("fastify.get('/', async () => 'root');").file("public/page.txt", "a file").serve();

    assert_eq!(host.get("/").text(), "root");
    assert_eq!(host.get("/page.txt").text(), "a file");
    assert_eq!(host.get("/nothing").json()["statusCode"], 404);
}

#[test]
fn timers_and_work_go_on_after_the_answer() {
    let host = application(
        "let late = 0;
         fastify.get('/', async () => { setTimeout(() => { late += 1; }, 0); return 1; });
         fastify.get('/late', async () => ({ late }));",
    )
    .serve();

    host.get("/");
    let late = host.until("/late", |answer| answer.json()["late"] == 1);
    assert_eq!(late.status, 200);
}

#[test]
fn routes_lists_sockets_and_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fastify/mock-srv");
    let output = Command::new(executable()).args(["routes", "--why"]).arg(folder).output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout);

    let row = |path: &str| printed.lines().find(|line| line.contains(path)).unwrap_or_default().to_owned();
    assert!(row("/orders/:category").starts_with("WS "), "{printed}");
    assert!(row("/electronics ").starts_with("GET,HEAD,POST "), "{printed}");
    assert!(row("app.mjs is ").contains("dialect fastify"), "{printed}");
    assert!(row("@fastify/websocket is").contains("liveline's own"), "{printed}");
}

/// `done()` is called in the context that a hook has made for what follows.
#[test]
fn hooks_set_the_context_of_what_follows() {
    let host = Site::new()
        .file(
            "app.mjs",
            "import { AsyncLocalStorage } from 'node:async_hooks';
             const store = new AsyncLocalStorage();
             export default async function (fastify, opts) {
               fastify.addHook('onRequest', (request, reply, done) => store.run({ id: request.query.id }, done));
               fastify.addHook('preParsing', (request, reply, payload, done) => { request.seen = store.getStore()?.id; done(); });
               fastify.addHook('preHandler', (request, reply, done) => { request.seen += store.getStore()?.id; done(); });
               fastify.get('/', async (request) => { await null; return [request.seen, store.getStore()]; });
               fastify.get('/fails', { onRequest: (request, reply, done) => store.run('in', () => done(new Error('f'))) }, async () => 1);
               fastify.setErrorHandler((error, request, reply) => { reply.send({ store: store.getStore() }); });
               fastify.get('/none', (request, reply) => { setImmediate(() => reply.send([store.getStore()])); });
             }",
        )
        .serve();

    assert_eq!(host.get("/?id=a").json(), json!(["aa", { "id": "a" }]));
    assert_eq!(host.get("/?id=b").json(), json!(["bb", { "id": "b" }]));
    assert_eq!(host.get("/none?id=c").json(), json!([{ "id": "c" }]));
    assert_eq!(host.get("/fails").json(), json!({ "store": "in" }));
}

#[test]
fn a_response_has_its_own_status() {
    let host = application(
        "fastify.get('/', async (request, reply) => { reply.raw; return new Response('x', { status: 418 }); });
         fastify.get('/own', async (request, reply) => reply.code(201).send(new Response('x', { status: 418 })));",
    )
    .serve();

    assert_eq!((host.get("/").status, host.get("/own").status), (418, 201));
}

#[test]
fn what_has_no_route_is_not_found_whatever_is_sent() {
    let host = application(
        "fastify.addContentTypeParser('text/own', (request, payload, done) => done(new Error('a fault of the parser')));
         fastify.post('/', async () => 1);",
    )
    .serve();
    let status = |path: &str, kind: &str| {
        host.request("POST", path).header("content-type", kind).body("a").send().status
    };

    assert_eq!(status("/nowhere", "text/other"), 404);
    assert_eq!(status("/", "text/other"), 415);
    assert_eq!(status("/", "text/own"), 500);
}

/// The objects of fluent-json-schema describe themselves.
#[test]
fn schemas_may_be_fluent_objects() {
    let host = application(
        "const fluent = (schema) => ({ title: () => {}, isFluentSchema: true, valueOf: () => schema });
         fastify.addSchema(fluent({ $id: 'shared', type: 'integer' }));
         fastify.post('/', { schema: {
           body: fluent({ type: 'object', required: ['n'], properties: { n: { $ref: 'shared#' } } }),
           response: { 200: fluent({ type: 'object', properties: { n: { type: 'string' } } }) },
         } }, async (request) => ({ n: request.body.n, more: 1 }));",
    )
    .serve();

    assert_eq!(host.request("POST", "/").json(&json!({ "n": 1 })).send().json(), json!({ "n": "1" }));
    assert_eq!(host.request("POST", "/").json(&json!({})).send().status, 400);
}

#[test]
fn a_callback_of_ready_gets_the_application() {
    let host = application(
        "let got; fastify.ready((error, instance) => { got = [error, typeof instance.get]; });
         fastify.get('/', async () => got);",
    )
    .serve();

    assert_eq!(host.get("/").json(), json!([null, "function"]));
}

#[test]
fn routes_have_settings_of_their_own_for_pages_of_other_sites() {
    let host = application(
        "fastify.register(cors, { origin: ['http://a.example', 'http://b.example'] });
         fastify.get('/', async () => 1);
         fastify.get('/none', { config: { cors: false } }, async () => 1);
         fastify.get('/own', { config: { cors: { origin: 'http://own.example' } } }, async () => 1);",
    );
    let program = std::fs::read_to_string(host.path("app.mjs")).expect("it was written");
    host.write("app.mjs", format!("import cors from '@fastify/cors';\n{program}"));
    let host = host.serve();
    let heads = |path: &str| {
        let answer = host.request("GET", path).header("origin", "http://b.example").send();
        let head = |name| answer.header(name).map(ToOwned::to_owned);
        (head("access-control-allow-origin"), head("vary"))
    };
    let some = |text: &str| Some(text.to_owned());

    assert_eq!(heads("/"), (some("http://b.example"), some("Origin")));
    assert_eq!(heads("/none"), (None, None));
    assert_eq!(heads("/own"), (some("http://own.example"), None));
}

#[test]
fn logs_hide_what_is_to_be_hidden() {
    let host = Site::new()
        .file(
            "app.mjs",
            "const lines = [];
             const user = { name: 'ada', password: 'secret', list: [{ key: 'secret', n: 1 }], 'a-b': { c: 'secret' } };
             export const options = { logger: {
               stream: { write: (line) => lines.push(line) },
               redact: { paths: ['user.password', 'user.list[*].key', 'user[\"a-b\"].c', '*.token', 'token'], censor: '***' },
             } };
             export default async function (fastify, opts) {
               fastify.get('/', async (request) => {
                 request.log.child({ token: 'secret' }).info({ user, other: { token: 'secret', kept: 1 } }, 'text');
                 const { user: shown, other, token } = JSON.parse(lines.at(-1));
                 return [lines.join('').includes('secret'), shown, other, token, user.password];
               });
             }",
        )
        .serve();

    let user = json!({ "name": "ada", "password": "***", "list": [{ "key": "***", "n": 1 }], "a-b": { "c": "***" } });
    assert_eq!(host.get("/").json(), json!([false, user, { "token": "***", "kept": 1 }, "***", "secret"]));
}

#[test]
fn streams_without_an_iterator_are_sent() {
    let host = Site::new()
        .file(
            "app.mjs",
            "import { Stream } from 'node:stream';
             export default async function (fastify, opts) {
               fastify.get('/', (request, reply) => {
                 const old = Object.assign(new Stream(), { readable: true, pause() {}, resume() {} });
                 reply.send(old);
                 setImmediate(() => { old.emit('data', 'a'); old.emit('data', Buffer.from('b')); old.emit('end'); });
               });
             }",
        )
        .serve();

    assert_eq!(host.get("/").text(), "ab");
}

#[test]
fn a_schema_may_allow_that_there_is_no_body() {
    let host = application(
        "fastify.post('/', { schema: { body: { type: ['object', 'null'], properties: { a: {} } } } }, async (request) => [request.body ?? null]);
         fastify.post('/needed', { schema: { body: { type: 'object' } } }, async () => 1);",
    )
    .serve();

    assert_eq!(host.request("POST", "/").send().json(), json!([null]));
    assert_eq!(host.request("POST", "/needed").send().status, 400);
}

#[test]
fn an_application_may_lie_below_a_folder_of_that_name() {
    let other = plugin("fastify.get('/', async () => 'another project');");
    let host = Site::new()
        .file("routes/index.mjs", &other)
        .file("routes/app/app.mjs", plugin("fastify.get('/', async () => 'this project');"))
        .serving("routes/app")
        .serve();

    assert_eq!(host.get("/").text(), "this project");
}

#[test]
fn methods_are_added_to_one_application() {
    let host = application(
        "fastify.addHttpMethod('PROPFIND');
         fastify.addHttpMethod('MKCOL', { hasBody: true });
         fastify.propfind('/', async (request) => ['propfind', request.body ?? null]);
         fastify.mkcol('/', async (request) => ['mkcol', request.body ?? null]);
         fastify.get('/other', async () => {
           const other = (await import('fastify')).default();
           const known = [typeof other.propfind, other.supportedMethods.includes('PROPFIND')];
           other.addHttpMethod('PROPFIND', { hasBody: true });
           other.route({ method: 'PROPFIND', url: '/', handler: async (request) => request.body });
           const answer = await other.inject({ method: 'PROPFIND', url: '/', payload: { a: 1 } });
           return [...known, answer.json()];
         });",
    )
    .serve();
    let send = |method: &str| host.request(method, "/").json(&json!({ "a": 1 })).send().json();

    assert_eq!(send("PROPFIND"), json!(["propfind", null]));
    assert_eq!(send("MKCOL"), json!(["mkcol", { "a": 1 }]));
    assert_eq!(host.get("/other").json(), json!(["undefined", false, { "a": 1 }]));
}

#[test]
fn the_server_listens_once_requests_come() {
    let host = application(
        "const before = fastify.server.listening;
         fastify.get('/', async () => [before, fastify.server.listening]);",
    )
    .serve();

    assert_eq!(host.get("/").json(), json!([false, true]));
}

#[test]
fn headers_are_joined_as_nodes_are() {
    let host = application(
        "const seen = [];
         const free = (await import('fastify')).default({ rewriteUrl(request) {
           seen.push(request.headers['x-a']);
           return request.url;
         } });
         free.get('/', async () => 'free');
         fastify.get('/', async ({ headers }) =>
           [headers.constructor, headers['x-a'], headers.cookie, headers['user-agent'], headers.hasOwnProperty('x-a')]);
         fastify.get('/free', async () => {
           await free.inject({ url: '/', headers: { 'x-a': ['1', '2'] } });
           return seen;
         });",
    )
    .serve();

    let answer = host
        .request("GET", "/")
        .header("Constructor", "mine")
        .header("X-A", "1")
        .header("x-a", "2")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("user-agent", "one")
        .send();
    assert_eq!(answer.json(), json!(["mine", "1, 2", "a=1; b=2", "one", true]));
    assert_eq!(host.get("/free").json(), json!(["1, 2"]));
}

#[test]
fn errors_are_logged_with_all_that_they_have() {
    let host = Site::new()
        .file(
            "app.mjs",
            "const lines = [];
             export const options = { logger: { stream: { write: (line) => lines.push(line) } } };
             export default async function (fastify, opts) {
               const shown = (error) => {
                 fastify.log.error(error);
                 return JSON.parse(lines.at(-1)).err;
               };
               fastify.get('/', async () => {
                 const inner = new TypeError('inner');
                 const error = new Error('outer', { cause: inner });
                 Object.assign(error, { code: 'E', detail: { a: 1 }, other: new RangeError('other') });
                 const { type, message, stack, code, detail, other } = shown(error);
                 const several = shown(new AggregateError([inner, new Error('second')], 'several'));
                 const circular = new Error('circular');
                 circular.cause = circular.self = circular;
                 return [
                   type, message, stack.includes('caused by: TypeError: inner'), code, detail, other.type,
                   several.aggregateErrors.map((it) => it.message), shown(circular).message,
                 ];
               });
             }",
        )
        .serve();

    assert_eq!(
        host.get("/").json(),
        json!(["Error", "outer: inner", true, "E", { "a": 1 }, "RangeError", ["inner", "second"], "circular"])
    );
}

#[test]
fn what_is_not_printed_of_routes_is_an_error() {
    let host = application(
        "fastify.get('/', async () => {
           try {
             return fastify.printRoutes({ includeHooks: true });
           } catch (error) {
             return error.message;
           }
         });",
    )
    .serve();

    assert!(host.get("/").text().contains("includeHooks"), "{}", host.get("/").text());
}
