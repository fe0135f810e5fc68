//! Sockets of applications of Fastify.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{application, close_code, connect, message, plugin, text};
use crate::support::Site;

#[test]
fn all_signatures_of_handlers_get_the_socket() {
    let host = application(
        "fastify.get('/new', { websocket: true }, (socket) => socket.send('new'));
         fastify.get('/destructured', { websocket: true }, async ({ socket }) => { socket.send('destructured'); });
         fastify.get('/old', { websocket: true }, (connection) => connection.socket.send('old'));",
    )
    .serve();

    for name in ["new", "destructured", "old"] {
        assert_eq!(text(&mut connect(&host, &format!("/{name}"))), name);
    }
}

#[test]
fn the_plugin_may_be_registered_late_or_never() {
    let route = plugin("fastify.get('/', { websocket: true }, (socket) => socket.send('open'));");
    for late in ["", "fastify.register(websocket);"] {
        let host = Site::new()
            .file(
                "app.mjs",
                format!(
                    "import websocket from '@fastify/websocket';\nimport route from './route.mjs';\n{}",
                    plugin(&format!("fastify.register(route, {{ prefix: '/r' }});\n{late}"))
                ),
            )
            .file("route.mjs", &route)
            .serve();
        assert_eq!(text(&mut connect(&host, "/r")), "open");
    }
}

#[test]
fn messages_wait_for_hooks_and_for_a_listener() {
    let host = application(
        "fastify.get('/', { websocket: true, onRequest: async () => { await new Promise((go) => setTimeout(go, 50)); } },
           async (socket) => {
             await new Promise((go) => setTimeout(go, 50));
             socket.on('message', (data, isBinary) => socket.send(`${isBinary} ${data}`));
           });",
    )
    .serve();

    let mut socket = connect(&host, "/");
    socket.send(Message::text("first")).unwrap();
    socket.send(Message::binary(vec![65])).unwrap();
    assert_eq!([text(&mut socket), text(&mut socket)], ["false first", "true A"]);
}

#[test]
fn a_hook_that_answers_refuses_the_socket() {
    let host = application(
        "fastify.get('/', { websocket: true, preValidation: async (request, reply) => { await reply.code(401).send(); } },
           (socket) => socket.send('never'));
         fastify.get('/http', async () => 'http');",
    )
    .serve();

    assert_eq!(host.dial("/").upgrade().err(), Some(401));
    assert_eq!(host.dial("/nowhere").upgrade().err(), Some(404));
    assert_eq!(close_code(&mut connect(&host, "/http")), 1005);
}

#[test]
fn what_throws_harms_its_own_socket_alone() {
    let host = application(
        "fastify.get('/now', { websocket: true }, () => { throw new Error('now'); });
         fastify.get('/later', { websocket: true }, async () => { throw new Error('later'); });
         fastify.get('/listener', { websocket: true }, (socket) => socket.on('message', (data) => JSON.parse(data)));
         fastify.get('/async', { websocket: true }, (socket) => socket.on('message', async (data) => JSON.parse(data)));
         fastify.get('/echo', { websocket: true }, (socket) => socket.on('message', (data) => socket.send(String(data))));",
    )
    .serve();
    let mut other = connect(&host, "/echo");

    assert_eq!(close_code(&mut connect(&host, "/now")), 1006);
    assert_eq!(close_code(&mut connect(&host, "/later")), 1006);
    for path in ["/listener", "/async"] {
        let mut guilty = connect(&host, path);
        guilty.send(Message::text("{bad")).unwrap();
        assert_eq!(close_code(&mut guilty), 1011, "{path}");
    }
    host.log.next("SyntaxError");
    other.send(Message::text("alive")).unwrap();
    assert_eq!(text(&mut other), "alive");
}

#[test]
fn an_error_handler_decides_what_becomes_of_a_socket() {
    let host = application(
        "const { default: websocket } = await import('@fastify/websocket');
         fastify.register(websocket, {
           errorHandler(error, socket, request, reply) { socket.close(4004, error.message); },
         });
         fastify.get('/', { websocket: true }, () => { throw new Error('why'); });",
    )
    .serve();

    assert_eq!(close_code(&mut connect(&host, "/")), 4004);
}

#[test]
fn clients_are_the_open_sockets() {
    let host = application(
        "fastify.get('/ws', { websocket: true }, (socket) => socket.send('open'));
         fastify.get('/size', async () => ({ size: fastify.websocketServer.clients.size }));
         fastify.get('/all', async () => {
           for (const client of fastify.websocketServer.clients) if (client.readyState === 1) client.send('to all');
           return 1;
         });",
    )
    .serve();
    let mut sockets = [connect(&host, "/ws"), connect(&host, "/ws")];
    for socket in &mut sockets {
        assert_eq!(text(socket), "open");
    }

    assert_eq!(host.get("/size").json(), json!({ "size": 2 }));
    host.get("/all");
    for socket in &mut sockets {
        assert_eq!(text(socket), "to all");
    }
    let [kept, gone] = sockets;
    drop(gone);
    let size = host.until("/size", |answer| answer.json()["size"] == 1);
    assert_eq!(size.status, 200);
    drop(kept);
}

#[test]
fn a_generator_ends_when_its_client_has_left() {
    let host = application(
        "let running = 0;
         fastify.get('/ws', { websocket: true }, async ({ socket }) => {
           running += 1;
           try {
             while (socket.readyState < socket.CLOSING) { socket.send('tick'); await new Promise((go) => setTimeout(go, 10)); }
           } finally { running -= 1; }
         });
         fastify.get('/running', async () => ({ running }));",
    )
    .serve();
    let mut socket = connect(&host, "/ws");
    assert_eq!(text(&mut socket), "tick");

    drop(socket);
    let running = host.until("/running", |answer| answer.json()["running"] == 0);
    assert_eq!(running.status, 200);
}

#[test]
fn large_messages_pass_and_larger_ones_close_with_1009() {
    let host = application(
        "const { default: websocket } = await import('@fastify/websocket');
         fastify.register(websocket, { options: { maxPayload: 3 * 1024 * 1024 } });
         fastify.get('/', { websocket: true }, (socket) => socket.on('message', (data) => socket.send(data)));",
    )
    .serve();

    let mut socket = connect(&host, "/");
    let large = vec![7; 3 * 1024 * 1024];
    socket.send(Message::binary(large.clone())).unwrap();
    assert!(matches!(message(&mut socket), Some(Message::Binary(bytes)) if bytes == large));
    socket.send(Message::binary(vec![7; 3 * 1024 * 1024 + 1])).unwrap();
    assert_eq!(close_code(&mut socket), 1009);
}

#[test]
fn one_path_answers_both_kinds_of_requests() {
    let host = application(
        "fastify.route({ method: 'GET', url: '/', handler: (request, reply) => reply.send('http'), wsHandler: (socket) => socket.send('ws') });",
    )
    .serve();

    assert_eq!(host.get("/").text(), "http");
    assert_eq!(text(&mut connect(&host, "/")), "ws");
}

#[test]
fn the_stream_of_version_9_is_there() {
    let host = application(
        "fastify.get('/', { websocket: true }, (connection) => {
           connection.setEncoding('utf8');
           connection.on('data', (chunk) => connection.write(`${typeof chunk} ${chunk}`));
           connection.socket.addEventListener('message', ({ data }) => connection.socket.send(`event ${data}`));
         });",
    )
    .serve();

    let mut socket = connect(&host, "/");
    socket.send(Message::text("m")).unwrap();
    assert_eq!([text(&mut socket), text(&mut socket)], ["event m", "string m"]);
}

#[test]
fn pages_of_every_origin_may_open_sockets() {
    let host = application("fastify.get('/', { websocket: true }, (socket) => socket.send('open'));").serve();

    let (mut socket, _) = host.dial("/").header("origin", "http://localhost:5050").upgrade().unwrap();
    assert_eq!(text(&mut socket), "open");
}
