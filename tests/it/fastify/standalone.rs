//! Files that make a server themselves: the host's listener adopts it, and `--port` wins.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{open, send, text};
use crate::support::{Finished, Site};
use crate::websockets::{closed, next};

#[test]
fn a_fastify_that_listens_is_adopted() {
    let host = Site::new()
        .file(
            "server.mjs",
            r#"import Fastify from "fastify";
            import websocket from "@fastify/websocket";

            const app = Fastify({ logger: true });
            await app.register(websocket);
            app.get("/", async (request) => ({ hello: request.query.name ?? "world" }));
            app.post("/", { schema: { body: { type: "object", required: ["a"] } } }, async (request) => request.body);
            app.get("/socket", { websocket: true }, (socket) => socket.on("message", (data) => socket.send(`echo ${data}`)));
            const address = await app.listen({ port: 4567, host: "0.0.0.0" });
            app.get.address = address;
            console.log(`address ${address}`);"#,
        )
        .serving("server.mjs")
        .dev();

    assert_eq!(host.get("/?name=you").json(), json!({ "hello": "you" }));
    assert_eq!(host.request("POST", "/").json(&json!({})).send().status, 400);
    assert_eq!(host.request("POST", "/").json(&json!({ "a": 1 })).send().json(), json!({ "a": 1 }));
    let mut socket = open(&host, "/socket");
    send(&mut socket, "x");
    assert_eq!(text(&mut socket), "echo x");
    // The port that the file wants is another one.
    assert_ne!(host.address().port(), 4567);
}

#[test]
fn commonjs_and_callbacks_are_adopted() {
    let host = Site::new()
        .file(
            "server.js",
            r#"const fastify = require("fastify")({ logger: false });
            fastify.get("/", (request, reply) => { reply.send({ hello: "world" }); });
            fastify.listen({ port: 3000 }, (error, address) => {
              if (error) throw error;
              console.log(`callback ${address}`);
            });"#,
        )
        .serving("server.js")
        .serve();

    assert_eq!(host.get("/").json(), json!({ "hello": "world" }));
    assert_eq!(host.get("/nowhere").status, 404);
}

#[test]
fn a_server_of_node_is_adopted_with_its_upgrades() {
    let host = Site::new()
        .file(
            "server.mjs",
            r#"import { createServer } from "node:http";
            import { createHash } from "node:crypto";

            const server = createServer((request, response) => {
              response.writeHead(200, { "content-type": "text/plain", "x-node": "yes" });
              response.end(`${request.method} ${request.url}`);
            });
            server.on("upgrade", (request, socket, head) => {
              const key = request.headers["sec-websocket-key"];
              const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
              socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
              socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from("hello")]));
              socket.end(Buffer.from([0x88, 2, 0x03, 0xe8]));
            });
            server.listen(8080, () => console.log("node listens"));"#,
        )
        .serving("server.mjs")
        .dev();

    let answer = host.request("POST", "/path?query").plain().send();
    assert_eq!((answer.text(), answer.header("x-node")), ("POST /path?query", Some("yes")));
    let mut socket = open(&host, "/any");
    assert_eq!(next(&mut socket), Some(Message::text("hello")));
    assert_eq!(closed(&mut socket).0, 1000);
}

#[test]
fn a_saved_standalone_file_answers() {
    let code = |word: &str| {
        format!(
            r#"import Fastify from "fastify";
            const app = Fastify();
            app.get("/", async () => "{word}");
            await app.listen({{ port: 3000 }});"#
        )
    };
    let host = Site::new().file("server.mjs", code("old")).serving("server.mjs").dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("server.mjs", code("new"));

    host.until("/", |answer| answer.text() == "new");
}

/// A program tells why it does not listen by ending its process, or not at all. The host knows.
#[test]
fn a_program_that_fails_to_listen_says_why() {
    let program = |end: &str| {
        format!(
            r#"import Fastify from "fastify";
            const app = Fastify();
            app.get("/", {{ schema: {{ querystring: {{ type: "nonsense" }} }} }}, async () => 1);
            {end}"#
        )
    };
    for end in [
        "app.listen({ port: 3000 }, (error) => { if (error) throw error; });",
        "app.listen({ port: 3000 }, (error) => { if (error) { app.log.error(error); process.exit(1); } });",
        "const start = async () => { try { await app.listen({ port: 3000 }); } catch { process.exit(1); } }; start();",
        "await app.listen({ port: 3000 });",
    ] {
        let site = Site::new().file("server.mjs", program(end)).serving("server.mjs");
        let check = Finished::of(&["check", site.served().to_str().expect("a path of text")]);

        assert_ne!(check.code, Some(0), "{end}");
        let output = check.output();
        assert!(output.contains("FST_ERR_SCH_VALIDATION_BUILD"), "{end}: {output}");
        assert!(!output.contains("exports no plugin"), "{end}: {output}");
    }
}

#[test]
fn a_program_that_tries_again_listens() {
    let host = Site::new()
        .file(
            "server.mjs",
            r#"import Fastify from "fastify";
            const failing = Fastify();
            failing.register(async () => { throw new Error("the first one fails"); });
            const other = Fastify();
            other.get("/", async () => "the other one");
            failing.listen({ port: 3000 }, () => other.listen({ port: 3000 }));"#,
        )
        .serving("server.mjs")
        .serve();

    assert_eq!(host.get("/").text(), "the other one");
}

#[test]
fn what_is_rejected_while_a_program_begins_is_logged() {
    let host = Site::new()
        .file(
            "server.mjs",
            r#"import Fastify from "fastify";
            const app = Fastify();
            const start = async () => { throw new Error("no database"); };
            start();"#,
        )
        .serving("server.mjs")
        .begin_dev();

    let line = host.log.next("unhandled rejection");
    assert!(line.contains("Error: no database"), "{line}");
}

/// Plugins of ajv are made for the ajv of the project: its classes know only their own objects.
#[test]
fn a_program_has_the_validator_of_its_project() {
    let manifest = |name: &str, version: &str| {
        format!(r#"{{ "name": "{name}", "version": "{version}", "main": "index.js" }}"#)
    };
    let host = Site::new()
        .file("node_modules/ajv/package.json", manifest("ajv", "8.0.0"))
        .file(
            "node_modules/ajv/index.js",
            r#"class Ajv {
              addSchema() {}
              addFormat() {}
              compile() {
                const validate = (data) => { validate.errors = data?.good ? null : [{ message: this.word }]; return data?.good === true; };
                return validate;
              }
            }
            module.exports = Ajv;"#,
        )
        .file("node_modules/ajv-formats/package.json", manifest("ajv-formats", "3.0.0"))
        .file("node_modules/ajv-formats/index.js", "module.exports = () => {};")
        .file("node_modules/of-ajv/package.json", manifest("of-ajv", "1.0.0"))
        .file(
            "node_modules/of-ajv/index.js",
            r#"const Ajv = require("ajv");
            module.exports = (ajv) => { ajv.word = ajv instanceof Ajv ? "of the project" : "of another"; };"#,
        )
        .file(
            "server.mjs",
            r#"import Fastify from "fastify";
            import plugin from "of-ajv";
            const app = Fastify({ ajv: { plugins: [plugin] } });
            app.post("/", { schema: { body: { type: "object" } } }, async (request) => request.body);
            await app.listen({ port: 3000 });"#,
        )
        .serving("server.mjs")
        .serve();

    let refused = host.request("POST", "/").json(&json!({})).send();
    assert_eq!((refused.status, &refused.json()["message"]), (400, &json!("body of the project")));
    assert_eq!(host.request("POST", "/").json(&json!({ "good": true })).send().status, 200);
}

/// The boot ends when the application is to be ready, however often the program has waited for plugins before.
#[test]
fn a_program_waits_for_its_plugins_one_by_one() {
    let program = |code: &str| {
        format!(
            r#"import Fastify from "fastify";
            const app = Fastify({{ pluginTimeout: 2000 }});
            const order = [];
            const plugin = (name) => async (instance) => {{ order.push(name); instance.get(`/${{name}}`, async () => name); }};
            const soon = () => new Promise((resolve) => setImmediate(resolve));
            {code}"#
        )
    };
    let programs = [
        r#"await app.register(plugin("a"));
        await app.register(plugin("b"));
        app.get("/", async () => order);
        await app.listen({ port: 3000 });"#,
        r#"app.register(plugin("a"));
        await app.after();
        app.register(plugin("b"));
        await app.after();
        app.get("/", async () => order);
        await app.listen({ port: 3000 });"#,
        r#"await app.register(plugin("a"));
        await soon();
        app.register(plugin("b"));
        await app;
        await soon();
        app.get("/", async () => order);
        await app.listen({ port: 3000 });"#,
        r#"const main = async () => {
          const all = async () => { for (const name of ["a", "b"]) await app.register(plugin(name)); };
          await all();
          app.get("/", async () => order);
          await app.listen({ port: 3000 });
        };
        main();"#,
        r#"app.register(async (instance) => {
          await instance.register(plugin("a"));
          await soon();
          await instance.register(plugin("b"));
          instance.get("/", async () => order);
        });
        await app.ready();
        await app.listen({ port: 3000 });"#,
        r#"app.register((instance, options) => { plugin("a")(instance); });
        app.register(Promise.resolve(plugin("b")));
        app.get("/", async () => order);
        app.listen({ port: 3000 });"#,
    ];
    for code in programs {
        let host = Site::new().file("server.mjs", program(code)).serving("server.mjs").serve();

        assert_eq!(host.get("/").json(), json!(["a", "b"]), "{code}");
        assert_eq!(host.get("/b").text(), "b", "{code}");
    }
}

/// Programs ask whether they are the one that runs, and not a test's.
#[test]
fn a_program_is_the_main_module() {
    let programs = [
        (
            "server.js",
            r#"const app = require("fastify")();
            app.get("/", async () => [require.main === module, require.main === process.mainModule, module.parent ?? null]);
            if (require.main === module) app.listen({ port: 3000 });
            else module.exports = app;"#,
        ),
        (
            "server.mjs",
            r#"import Fastify from "fastify";
            import { fileURLToPath } from "node:url";
            const app = Fastify();
            const isMain = process.argv[1] === fileURLToPath(import.meta.url);
            app.get("/", async () => [isMain, true, null]);
            if (isMain) app.listen({ port: 3000 });"#,
        ),
    ];
    for (name, program) in programs {
        let host = Site::new()
            .file("lib.cjs", "module.exports = require.main === module;")
            .file(name, program)
            .serving(name)
            .serve();

        assert_eq!(host.get("/").json(), json!([true, true, null]), "{name}");
    }
}
