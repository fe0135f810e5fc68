//! Files that make a server themselves: the host's listener adopts it, and `--port` wins.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{open, send, text};
use crate::support::Site;
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
