//! Sockets of a tree: how they end, what their handlers and hooks may do, and limits. FW-A7, FW-A19 to FW-A22, FW-A24.

use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tokio_tungstenite::tungstenite::Message;

use super::{Socket, logged, open, order, send, shop, text, tree};
use crate::support::{Host, Site};
use crate::websockets::{closed, frame, next};

/// The shop, with a count of the simulators that run at `/running`.
fn counted() -> Site {
    let data = super::SHOP[2].1;
    let begin = "  const ids = Object.keys(orders);\n  while (true) {";
    let end = "    await timeout(1500);\n}\n}";
    assert!(data.contains(begin) && data.contains(end));
    let data = data
        .replace(begin, "  const ids = Object.keys(orders);\n  running += 1;\n  try {\n  while (true) {")
        .replace(end, "    await timeout(50);\n}\n  } finally { running -= 1; }\n}\nlet running = 0;")
        .replace(
            "  fastify.decorate(\"currentOrders\"",
            "  fastify.get(\"/running\", async () => running);\n  fastify.decorate(\"currentOrders\"",
        );
    shop().file("mock-srv/plugins/data-utils.mjs", data)
}

#[track_caller]
fn runs(host: &Host, count: u32) {
    host.until("/running", |answer| answer.text() == count.to_string());
}

/// FW-A7: a close frame.
#[test]
fn the_loop_ends_when_the_client_closes() {
    let host = counted().dev();
    let mut sockets: Vec<_> = (0..3).map(|_| open(&host, "/orders/electronics")).collect();
    sockets.iter_mut().for_each(|socket| drop(order(socket)));
    runs(&host, 3);

    for mut socket in sockets {
        socket.close(Some(frame(1000, "bye"))).expect("a host");
        socket.flush().ok();
    }

    runs(&host, 0);
}

/// FW-A7: the network says that the client is gone.
#[test]
fn the_loop_ends_when_the_connection_is_reset() {
    let host = counted().dev();
    let mut socket = open(&host, "/orders/electronics");
    order(&mut socket);
    runs(&host, 1);

    SockRef::from(socket.get_ref()).set_linger(Some(Duration::ZERO)).expect("an option of sockets");
    drop(socket);

    runs(&host, 0);
}

/// FW-A7: nothing is heard of the client any more.
#[test]
fn the_loop_ends_when_the_client_answers_no_pings() {
    let host = counted().arg("--ping-interval=100ms").arg("--ping-timeout=300ms").dev();
    let mut socket = open(&host, "/orders/electronics");
    order(&mut socket);

    // The connection stays open, but nobody reads from it.
    runs(&host, 0);
    drop(socket);
}

/// FW-A19: messages wait for hooks.
#[test]
fn messages_that_come_before_the_handler_are_kept() {
    let host = tree(
        r#"for (const hook of ["onRequest", "preValidation"]) {
          fastify.get(`/${hook}`, { websocket: true, [hook]: () => soon(300) }, (socket) => {
            socket.on("message", (data) => socket.send(`after ${hook}: ${data}`));
          });
        }"#,
    )
    .dev();
    for hook in ["onRequest", "preValidation"] {
        let mut socket = open(&host, &format!("/{hook}"));
        send(&mut socket, "one");
        send(&mut socket, "two");
        assert_eq!(text(&mut socket), format!("after {hook}: one"));
        assert_eq!(text(&mut socket), format!("after {hook}: two"));
    }
}

/// FW-A19: a hook refuses.
#[test]
fn a_hook_refuses_the_handshake() {
    let host = tree(
        r#"fastify.get("/guarded", {
          websocket: true,
          onRequest: async (request, reply) => {
            await soon(20);
            if (request.headers.authorization !== "Bearer good") return reply.code(401).send({ refused: true });
          },
        }, (socket) => socket.send("let in"));"#,
    )
    .dev();

    assert_eq!(super::refusal(&host, "/guarded"), 401);
    let dial = host.dial("/guarded").header("authorization", "Bearer good");
    let (mut socket, _) = dial.upgrade().unwrap_or_else(|status| panic!("refused with {status}"));
    assert_eq!(text(&mut socket), "let in");
}

const ECHO: &str = r#"fastify.get("/echo", { websocket: true }, (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});"#;

#[track_caller]
fn echoes(socket: &mut Socket, message: &Message) {
    socket.send(message.clone()).expect("a host that reads");
    let answer = next(socket).expect("an echo");
    assert_eq!(answer.len(), message.len());
    assert!(answer == *message, "the message is another");
}

/// FW-A20: what a stream of older versions stopped at, and large messages.
#[test]
fn large_messages_come_back_as_they_were() {
    let host = tree(ECHO).dev();
    let mut socket = open(&host, "/echo");
    for length in [16_383, 16_384, 16_385, 65_535, 65_536, 1024 * 1024] {
        let pattern: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
        echoes(&mut socket, &Message::binary(pattern));
        echoes(&mut socket, &Message::text("\u{df}".repeat(length as usize / 2)));
    }
}

/// FW-A20.
#[test]
fn a_message_of_20_mib_comes_back() {
    let host = tree(ECHO).dev();
    let mut socket = open(&host, "/echo");
    echoes(&mut socket, &Message::binary(vec![7; 20 * 1024 * 1024]));
}

/// FW-A20: and nobody but the guilty is harmed.
#[test]
fn a_message_over_the_limit_closes_its_socket_alone() {
    let host = super::bare_tree(&format!(
        "await fastify.register(websocket, {{ options: {{ maxPayload: 1024 }} }});\n{ECHO}"
    ))
    .dev();
    let mut other = open(&host, "/echo");
    let mut guilty = open(&host, "/echo");
    echoes(&mut guilty, &Message::binary(vec![1; 1024]));

    guilty.send(Message::binary(vec![1; 1025])).expect("a host that reads");

    assert_eq!(closed(&mut guilty).0, 1009);
    echoes(&mut other, &Message::text("still here"));
}

/// FW-A21.
#[test]
fn handlers_that_fail_reach_the_error_handler_once() {
    let host = super::bare_tree(
        r#"await fastify.register(websocket, {
          errorHandler(error, socket, request, reply) {
            log.push([error.message, typeof socket.terminate, request.url, typeof reply.code]);
            socket.close(1011, error.message);
          },
        });
        fastify.get("/throws", { websocket: true }, () => { throw new Error("thrown"); });
        fastify.get("/rejects", { websocket: true }, async () => { await soon(); throw new Error("rejected"); });"#,
    )
    .dev();
    for (path, message) in [("/throws", "thrown"), ("/rejects", "rejected")] {
        let mut socket = open(&host, path);
        assert_eq!(closed(&mut socket), (1011, message.to_owned()));
    }
    let seen =
        [["thrown", "function", "/throws", "function"], ["rejected", "function", "/rejects", "function"]];
    assert_eq!(logged(&host, "rejected"), json!(seen));
}

/// FW-A21.
#[test]
fn without_an_error_handler_the_connection_ends() {
    let host = tree(
        r#"fastify.get("/throws", { websocket: true }, () => { throw new Error("thrown in the handler"); });
        fastify.get("/rejects", { websocket: true }, async () => { throw new Error("rejected in the handler"); });"#,
    )
    .dev();
    for (path, message) in [("/throws", "thrown in the handler"), ("/rejects", "rejected in the handler")] {
        let mut socket = open(&host, path);
        assert_eq!(closed(&mut socket).0, 1006);
        host.log.next(message);
    }
}

/// FW-A21: real Fastify ends the process.
#[test]
fn a_listener_that_throws_closes_its_socket_alone() {
    let host = tree(
        r#"fastify.get("/", { websocket: true }, (socket) => {
          socket.on("message", (data) => {
            if (data.toString() === "bad") throw new Error("thrown in a listener");
            socket.send(`got ${data}`);
          });
        });"#,
    )
    .dev();
    let (mut other, mut guilty) = (open(&host, "/"), open(&host, "/"));
    send(&mut guilty, "good");
    assert_eq!(text(&mut guilty), "got good");

    send(&mut guilty, "bad");

    assert_eq!(closed(&mut guilty).0, 1011);
    let line = host.log.next("thrown in a listener");
    assert!(!line.is_empty());
    send(&mut other, "still here");
    assert_eq!(text(&mut other), "got still here");
    assert_eq!(host.get("/log").status, 200);
}

/// FW-A22.
#[test]
fn clients_are_the_open_sockets_and_a_broadcast_reaches_all() {
    let host = tree(
        r#"fastify.get("/", { websocket: true }, (socket) => {
          socket.on("message", (data) => {
            for (const client of fastify.websocketServer.clients) {
              if (client.readyState === 1) client.send(`all: ${data}`);
            }
          });
        });
        fastify.get("/size", async () => fastify.websocketServer.clients.size);"#,
    )
    .dev();
    let mut sockets: Vec<_> = (0..10).map(|_| open(&host, "/")).collect();
    host.until("/size", |answer| answer.text() == "10");

    send(&mut sockets[3], "hello");
    for socket in &mut sockets {
        assert_eq!(text(socket), "all: hello");
    }

    let left = sockets.split_off(6);
    drop(left);
    host.until("/size", |answer| answer.text() == "6");
    send(&mut sockets[0], "fewer");
    for socket in &mut sockets {
        assert_eq!(text(socket), "all: fewer");
    }
}

/// FW-A24 in small: the figures are those of `cargo xtask bench fastify`.
#[test]
fn a_broadcast_to_many_loses_nothing_and_keeps_its_order() {
    const SOCKETS: usize = 100;
    const MESSAGES: usize = 50;
    let host = tree(
        r#"fastify.get("/", { websocket: true }, (socket) => {
          socket.on("message", (data) => {
            const text = data.toString();
            for (const client of fastify.websocketServer.clients) client.send(text);
          });
        });"#,
    )
    .dev();
    let mut sockets: Vec<_> = (0..SOCKETS).map(|_| open(&host, "/")).collect();
    let filling = "x".repeat(1000);
    for n in 0..MESSAGES {
        sockets[0].write(Message::text(format!("{n} {filling}"))).expect("a host that reads");
    }
    sockets[0].flush().expect("a host that reads");

    for socket in &mut sockets {
        for n in 0..MESSAGES {
            assert_eq!(text(socket), format!("{n} {filling}"));
        }
    }
}

/// The server stops: its clients learn that they may come again.
#[cfg(unix)]
#[test]
fn sockets_are_closed_when_the_host_stops() {
    let mut host = tree(ECHO).serve();
    let mut socket = open(&host, "/echo");
    echoes(&mut socket, &Message::text("open"));

    host.signal("TERM");

    let (code, _) = closed(&mut socket);
    assert!([1001, 1005, 1012].contains(&code), "{code}");
    drop(socket);
    assert_eq!(host.ended(), Some(0));
}
