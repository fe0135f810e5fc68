//! Programs that listen themselves.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{application, close_code, connect, text};
use crate::support::Site;

#[test]
fn an_application_that_listens_is_reached_by_the_hosts_listener() {
    let host = Site::new()
        .file(
            "server.mjs",
            "import Fastify from 'fastify';
             const app = Fastify();
             app.get('/', async () => ({ hello: 'world' }));
             app.get('/ws', { websocket: true }, (socket) => socket.send('open'));
             await app.listen({ port: 3999 });",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!({ "hello": "world" }));
    assert_eq!(text(&mut connect(&host, "/ws")), "open");
    host.prints("listen(3999): the host's listener leads to this application");
}

#[test]
fn a_server_of_nodes_is_reached_as_well() {
    let host = Site::new()
        .file(
            "index.mjs",
            "import http from 'node:http';
             import fastify from 'fastify';
             void fastify;
             const server = http.createServer((req, res) => { res.writeHead(201, { 'x-own': '1' }); res.end(req.url); });
             server.listen(3998);",
        )
        .serve();

    let answer = host.get("/a?b=1");
    assert_eq!((answer.status, answer.header("x-own"), answer.text()), (201, Some("1"), "/a?b=1"));
}

#[test]
fn an_upgrade_event_has_a_socket_of_bytes() {
    // What a library for WebSockets does: it writes the head and frames, and reads frames.
    let host = Site::new()
        .file(
            "server.mjs",
            "import http from 'node:http';
             import fastify from 'fastify';
             void fastify;
             const server = http.createServer((req, res) => res.end('http'));
             server.on('upgrade', (req, socket, head) => {
               socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n');
               socket.on('data', (frame) => {
                 const kind = frame[0] & 15, length = frame[1] & 127;
                 const payload = frame.subarray(6, 6 + length);
                 if (kind === 8) return socket.end();
                 socket.write(Buffer.concat([Buffer.from([0x80 | kind, length]), payload]));
               });
             });
             server.listen(3997);",
        )
        .serve();

    let mut socket = connect(&host, "/any");
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(text(&mut socket), "hello");
    socket.close(None).unwrap();
    assert_eq!(close_code(&mut socket), 1005);
    assert_eq!(host.get("/").text(), "http");
}

/// What Node has of a request is there after its client has left.
#[test]
fn the_raw_request_of_a_client_that_left_is_destroyed() {
    let host = application(
        "const seen = [];
         fastify.get('/waits', async (request, reply) => {
           await new Promise((resolve) => { request.signal.addEventListener('abort', resolve); });
           seen.push(request.raw.destroyed, reply.raw.destroyed, request.raw.method, request.raw.url, request.socket.destroyed);
         });
         fastify.get('/seen', async () => seen);",
    )
    .serve();
    let mut client = TcpStream::connect(host.address()).expect("the host listens");
    client.write_all(b"GET /waits?a HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
    // Its handler runs once a later request is answered.
    assert_eq!(host.get("/seen").json(), json!([]));

    drop(client);

    host.until("/seen", |answer| answer.json() == json!([true, true, "GET", "/waits?a", true]));
}
