//! Trees that do not boot: each error has its code, its place and the names in it. FW-A16, FW-A17, FW-A23.

use serde_json::json;

use super::{bare_tree, open, shop, text};
use crate::support::{Finished, Site};

/// What `liveline check` prints about a tree that must have an error.
#[track_caller]
fn complaint(site: &Site) -> String {
    let check = Finished::of(&["check", site.served().to_str().expect("a path of text")]);
    assert_ne!(check.code, Some(0), "{}", check.output());
    format!("{}{}", check.stdout, check.stderr)
}

#[track_caller]
fn has(output: &str, words: &[&str]) {
    for word in words {
        assert!(output.contains(word), "no {word:?} in\n{output}");
    }
}

/// FW-A16.
#[test]
fn a_decorator_twice_is_an_error_with_both_files() {
    let site = shop().file(
        "mock-srv/plugins/second.mjs",
        r#"import fp from "fastify-plugin";

export default fp(async function (fastify, opts) {
  fastify.decorate("currentOrders", () => []);
});
"#,
    );
    let output = complaint(&site);
    has(&output, &["FST_ERR_DEC_ALREADY_PRESENT", "currentOrders", "second.mjs", "data-utils.mjs"]);
}

#[test]
fn a_tree_with_an_error_is_waited_for_in_dev() {
    let broken =
        "export default async (fastify, opts) => { fastify.decorate('a', 1); fastify.decorate('a', 2); };";
    let host = Site::new().file("app.mjs", broken).begin_dev();
    host.log.next("FST_ERR_DEC_ALREADY_PRESENT");

    host.site.write(
        "app.mjs",
        "export default async (fastify, opts) => { fastify.get('/', async () => 'mended'); };",
    );

    let mut host = host;
    host.ready();
    host.until("/", |answer| answer.text() == "mended");
}

/// FW-A17.
#[test]
fn plugins_without_fp_keep_their_decorators_and_hooks() {
    let host = Site::new()
        .file(
            "app.mjs",
            r#"import fp from "fastify-plugin";
            export default async function (fastify, opts) {
              fastify.register(async (one) => {
                one.decorate("secret", 1);
                one.addHook("onRequest", async (request, reply) => void reply.header("x-hook", "one"));
                one.get("/one", async () => ({ own: one.secret, below: [] }));
                one.register(async (inner) => inner.get("/inner", async () => ({ own: inner.secret })), { prefix: "/deep" });
              }, { prefix: "/p" });
              fastify.register(async (two) => two.get("/two", async () => ({ own: two.secret ?? null, root: fastify.secret ?? null })));
              fastify.register(fp(async (wide) => wide.decorate("wide", "everywhere")));
              fastify.register(async (three) => three.get("/three", async () => three.wide));
            }"#,
        )
        .dev();

    let one = host.get("/p/one");
    assert_eq!((one.header("x-hook"), one.json()["own"].clone()), (Some("one"), json!(1)));
    let inner = host.get("/p/deep/inner");
    assert_eq!((inner.header("x-hook"), inner.json()), (Some("one"), json!({ "own": 1 })));
    let two = host.get("/two");
    assert_eq!((two.header("x-hook"), two.json()), (None, json!({ "own": null, "root": null })));
    assert_eq!(host.get("/three").text(), "everywhere");
}

/// FW-A23.
#[test]
fn a_missing_dependency_is_named() {
    let site = shop().file(
        "mock-srv/plugins/needy.mjs",
        "import fp from 'fastify-plugin';\nexport default fp(async () => {}, { name: 'needy', dependencies: ['absent'] });\n",
    );
    has(&complaint(&site), &["FST_ERR_PLUGIN_DEPENDENCY_NOT_REGISTERED", "'absent'", "'needy'"]);
}

#[test]
fn a_missing_decorator_is_named() {
    let site = shop().file(
        "mock-srv/plugins/needy.mjs",
        "import fp from 'fastify-plugin';\nexport default fp(async () => {}, { name: 'needy', decorators: { fastify: ['absent'] } });\n",
    );
    has(&complaint(&site), &["FST_ERR_PLUGIN_NOT_PRESENT_IN_INSTANCE", "'absent'", "'needy'"]);
}

#[test]
fn a_plugin_for_another_version_is_named() {
    let site = shop().file(
        "mock-srv/plugins/old.mjs",
        "import fp from 'fastify-plugin';\nexport default fp(async () => {}, { name: 'old', fastify: '3.x' });\n",
    );
    has(&complaint(&site), &["FST_ERR_PLUGIN_VERSION_MISMATCH", "'3.x'", "old"]);
}

/// FW-A23: ten seconds, as in Fastify.
#[test]
fn a_plugin_that_never_calls_done_is_named() {
    let site = bare_tree("fastify.register(function silent(instance, opts, done) {});");
    has(&complaint(&site), &["PLUGIN_EXEC_TIMEOUT", "silent", "done"]);
}

#[test]
fn a_plugin_that_never_resolves_is_named() {
    let site = bare_tree(
        "fastify.register(async function waiting(instance, opts) { await new Promise(() => {}); });",
    );
    has(&complaint(&site), &["PLUGIN_EXEC_TIMEOUT", "waiting"]);
}

#[test]
fn a_route_twice_is_an_error_with_its_place() {
    let site = shop().file(
        "mock-srv/routes/again/index.mjs",
        "export const prefixOverride = '/electronics';\nexport default async function (fastify, opts) {\n  fastify.get('/', async () => 1);\n}\n",
    );
    has(&complaint(&site), &["FST_ERR_DUPLICATED_ROUTE", "/electronics", "index.mjs"]);
}

#[test]
fn a_schema_that_does_not_compile_is_an_error_with_its_route() {
    let site =
        bare_tree("fastify.post('/wrong', { schema: { body: { type: 'nonsense' } } }, async () => 1);");
    has(&complaint(&site), &["FST_ERR_SCH_VALIDATION_BUILD", "POST", "/wrong"]);
    let site = bare_tree(
        "fastify.get('/wrong', { schema: { response: { 200: { $ref: 'absent#' } } } }, async () => 1);",
    );
    has(&complaint(&site), &["FST_ERR_SCH_SERIALIZATION_BUILD", "/wrong"]);
}

#[test]
fn an_error_of_a_plugin_has_its_file_and_line() {
    let site = shop().file(
        "mock-srv/plugins/fails.mjs",
        "export default async function (fastify, opts) {\n  await null;\n  throw new Error('no database');\n}\n",
    );
    has(&complaint(&site), &["no database", "plugins/fails.mjs:3"]);
}

#[test]
fn a_plugin_that_throws_at_once_has_its_file_and_line() {
    let site = shop().file(
        "mock-srv/plugins/fails.mjs",
        "export default function (fastify, opts, done) {\n  undefined.property;\n}\n",
    );
    has(&complaint(&site), &["TypeError", "plugins/fails.mjs:2"]);
}

#[test]
fn a_file_that_is_no_plugin_is_no_error() {
    let host = shop()
        .file("mock-srv/plugins/data.mjs", "export const data = [1];\nexport default { not: 'a plugin' };\n")
        .dev();
    assert_eq!(host.get("/electronics").status, 200);
}

#[test]
fn a_handler_that_fails_harms_no_socket() {
    let host = super::tree(
        r#"fastify.get("/fails", async () => { throw new Error("on purpose"); });
        fastify.get("/socket", { websocket: true }, (socket) => {
          socket.on("message", (data) => socket.send(`got ${data}`));
        });"#,
    )
    .dev();
    let mut socket = open(&host, "/socket");

    let failed = host.request("GET", "/fails").plain().send();
    assert_eq!(failed.status, 500);
    assert_eq!(
        failed.json(),
        json!({ "statusCode": 500, "error": "Internal Server Error", "message": "on purpose" })
    );
    host.log.next("on purpose");

    super::send(&mut socket, "x");
    assert_eq!(text(&mut socket), "got x");
}

/// A line break in a value would be the begin of another header.
#[test]
fn a_header_with_a_line_break_is_an_error_and_no_header() {
    let host = bare_tree(
        r#"fastify.get("/value", (request, reply) => reply.header("x-a", "one\nx-b: two").send("sent"));
        fastify.get("/list", (request, reply) => reply.header("x-a", ["one", "two\r\nx-b: three"]).send("sent"));
        fastify.get("/name", (request, reply) => reply.header("x-a\nx-b", "one").send("sent"));"#,
    )
    .dev();
    for (path, code) in
        [("/value", "ERR_INVALID_CHAR"), ("/list", "ERR_INVALID_CHAR"), ("/name", "ERR_INVALID_HTTP_TOKEN")]
    {
        let answer = host.request("GET", path).plain().send();
        assert_eq!((answer.status, &answer.json()["code"]), (500, &json!(code)), "{path}");
        assert_eq!((answer.header("x-a"), answer.header("x-b")), (None, None), "{path}");
    }
}

/// The log shows frames of the application, and none of the host's own scripts.
#[test]
fn an_error_in_the_log_has_no_frames_of_the_host() {
    let host = bare_tree(
        r#"fastify.post("/", async (request) => request.body);
        fastify.get("/own", async (request) => void request.log.info({ err: new Error("of the tree") }, "noted"));"#,
    )
    .dev();
    host.request("POST", "/").plain().header("content-type", "application/json").body("{").send();
    host.request("GET", "/own").plain().send();
    host.prints("Body is not valid JSON");
    host.prints("Error: of the tree");
    host.prints("app.mjs:8:");
    assert!(!host.printed().contains("ext:"), "{}", host.printed());
}

/// Such a tree has nothing in its text that asks for Node's half of an isolate.
#[test]
fn a_tree_that_imports_nothing_answers() {
    let host = Site::new()
        .file("app.mjs", "export default async function (fastify, opts) {\n  fastify.get('/', async () => ({ a: 1 }));\n}\n")
        .serve();
    assert_eq!(host.get("/").json(), json!({ "a": 1 }));
}
