//! WebSockets that a handler serves itself, with a `WebSocketPair`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::server::Response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocket};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Host, Site, serve};

/// A handler with this body at `/`; at `/seen` it returns the events that the body has recorded.
fn serving(body: &str) -> Site {
    Site::new().file(
        "handler.js",
        format!(
            r#"const seen = [];
            export default async function (event, next) {{
              if (next.stepname === "seen") return {{ seen }};
              event.signal.addEventListener("abort", () => seen.push("aborted"));
              const [client, server] = Object.values(new WebSocketPair());
              server.addEventListener("close", ({{ code, reason, wasClean }}) => seen.push(["close", code, reason, wasClean]));
              server.addEventListener("error", () => seen.push("error"));
              {body}
            }}"#
        ),
    )
}

/// A body for [`serving`] that sends every message back.
const ECHO: &str = r#"server.accept();
    server.addEventListener("message", ({ data }) => server.send(data));
    return new Response(null, { status: 101, webSocket: client });"#;

/// Opens a WebSocket, or returns the status it was refused with.
#[track_caller]
fn open(host: &Host, path: &str, headers: &[(&str, &str)]) -> Result<(WebSocket<TcpStream>, Response), u16> {
    let dial = headers.iter().fold(host.dial(path), |dial, (name, value)| dial.header(name, value));
    let (socket, response) = dial.upgrade()?;
    Ok((socket, response.map(|_| ())))
}

/// Opens one that is not refused.
#[track_caller]
fn connect(host: &Host) -> WebSocket<TcpStream> {
    open(host, "/", &[]).unwrap_or_else(|status| panic!("refused with {status}")).0
}

/// What the handler has seen, once it has seen so much.
#[track_caller]
fn seen(host: &Host, count: usize) -> Value {
    let is_all =
        |answer: &crate::support::Answer| answer.json()["seen"].as_array().is_some_and(|s| s.len() >= count);
    host.until("/seen", is_all).json()["seen"].take()
}

/// The next message that is not a sign of life, or `None` where the connection broke.
#[track_caller]
pub(super) fn next(socket: &mut WebSocket<TcpStream>) -> Option<Message> {
    loop {
        match socket.read() {
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return Some(message),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came"),
            Err(_) => return None,
        }
    }
}

/// The code and the reason that the other side closes with, next. Answers the close frame.
#[track_caller]
pub(super) fn closed(socket: &mut WebSocket<TcpStream>) -> (u16, String) {
    match next(socket) {
        Some(Message::Close(Some(CloseFrame { code, reason }))) => {
            let _ = socket.flush();
            (code.into(), reason.to_string())
        }
        Some(Message::Close(None)) => {
            let _ = socket.flush();
            (1005, String::new())
        }
        Some(message) => panic!("{message} instead of the end"),
        None => (1006, String::new()),
    }
}

pub(super) fn frame(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code: CloseCode::from(code), reason: reason.into() }
}

#[test]
fn a_handler_receives_and_answers_messages_as_they_are() {
    let host = serving(ECHO).serve();
    let mut socket = connect(&host);

    // Not JSON, not an envelope, an empty one, one with what looks like a ping, one of several frames' size.
    let texts = ["plain", "{\"a\":", "", r#"{".wq":{"type":"message","eventID":"E"},"ping":"connect"}"#];
    let messages = texts.map(Message::text).into_iter().chain([
        Message::binary(vec![]),
        Message::binary(vec![0, 159, 146, 150]),
        Message::text("\u{1f600}".repeat(50_000)),
        Message::binary(vec![7; 300_000]),
    ]);
    for message in messages {
        socket.send(message.clone()).expect("a host");
        assert_eq!(next(&mut socket), Some(message));
    }
}

#[test]
fn fragments_are_one_message() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let host = serving(ECHO).serve();
    let mut socket = connect(&host);
    let part =
        |text: &'static str, code, last| Message::Frame(Frame::message(text, OpCode::Data(code), last));

    for message in [part("one ", Data::Text, false), part("two ", Data::Continue, false)] {
        socket.write(message).expect("a host");
    }
    socket.write(Message::Ping("now".into())).expect("a host");
    socket.send(part("three", Data::Continue, true)).expect("a host");

    assert_eq!(next(&mut socket), Some(Message::text("one two three")));
}

#[test]
fn many_messages_keep_their_order_and_none_is_lost() {
    let host = serving(ECHO).serve();
    let mut socket = connect(&host);

    for round in 0..20 {
        for n in 0..100 {
            socket.write(Message::text(format!("{round} {n}"))).expect("a host");
        }
        socket.flush().expect("a host");
        for n in 0..100 {
            assert_eq!(next(&mut socket), Some(Message::text(format!("{round} {n}"))));
        }
    }
}

#[test]
fn each_message_has_a_turn_of_its_own() {
    let host = serving(
        r#"server.accept();
        let turns = 0;
        server.addEventListener("message", async ({ data }) => {
          const turn = ++turns;
          await null;
          await null;
          server.send(`${data} ${turn === turns}`);
        });
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .serve();
    let mut socket = connect(&host);

    for n in 0..50 {
        socket.write(Message::text(n.to_string())).expect("a host");
    }
    socket.flush().expect("a host");

    for n in 0..50 {
        assert_eq!(next(&mut socket), Some(Message::text(format!("{n} true"))));
    }
}

#[test]
fn messages_from_before_the_answer_come_first() {
    let host = serving(
        r#"server.accept();
        server.send("welcome");
        server.send(new Uint8Array([1]));
        queueMicrotask(() => server.send("later"));
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .serve();

    let mut socket = connect(&host);

    let expected = [Message::text("welcome"), Message::binary(vec![1]), Message::text("later")];
    assert_eq!(expected.clone().map(|_| next(&mut socket).expect("a message")), expected);
}

#[test]
fn what_comes_before_accept_is_held() {
    let host = serving(
        r#"let go;
        globalThis.go = new Promise((resolve) => go = resolve);
        event.waitUntil((async () => {
          const other = new WebSocket(event.url.href.replace(/^http/, "ws") + "again");
          await new Promise((resolve) => other.onopen = resolve);
          server.accept();
          server.addEventListener("message", ({ data }) => server.send(`heard ${data}`));
        })());
        if (next.stepname === "again") server.accept();
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .serve();
    let mut socket = connect(&host);

    for text in ["1", "2", "3"] {
        socket.send(Message::text(text)).expect("a host");
    }

    for text in ["heard 1", "heard 2", "heard 3"] {
        assert_eq!(next(&mut socket), Some(Message::text(text)));
    }
}

#[test]
fn the_client_closes_with_its_code() {
    for (close, code, reason) in
        [(Some(frame(4000, "bye")), 4000, "bye"), (Some(frame(1000, "")), 1000, ""), (None, 1005, "")]
    {
        let host = serving(ECHO).serve();
        let mut socket = connect(&host);

        socket.close(close.clone()).expect("a host");

        let answer = closed(&mut socket);
        assert!(answer.0 == code || (code == 1005 && answer.0 == 1000), "{answer:?}");
        assert_eq!(seen(&host, 2), json!([["close", code, reason, true], "aborted"]));
    }
}

/// The client sends its messages and its close frame in one packet, so the host reads them together.
#[test]
fn messages_before_the_clients_close_are_answered_before_it() {
    let host = serving(ECHO).serve();
    let mut socket = connect(&host);
    for number in 0..100 {
        socket.write(Message::text(number.to_string())).unwrap();
    }
    socket.write(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }))).unwrap();
    socket.flush().unwrap();

    // The library hides messages that follow its own close frame.
    let frames = frames_of(socket.get_mut());
    let expected: Vec<_> = (0..100).map(|number| (1, number.to_string().into_bytes())).collect();
    assert_eq!(frames[..100], expected);
    assert_eq!(frames[100..], [(8, [&1000_u16.to_be_bytes()[..], b"bye"].concat())]);
    assert_eq!(seen(&host, 2), json!([["close", 1000, "bye", true], "aborted"]));
}

/// A handler that is busy with a message when its client closes.
#[test]
fn a_message_that_is_being_handled_is_answered_before_the_clients_close() {
    let body = r#"server.accept();
        server.addEventListener("message", ({ data }) => {
          const end = Date.now() + 100;
          while (Date.now() < end) ;
          server.send(data);
        });
        return new Response(null, { status: 101, webSocket: client });"#;
    let host = serving(body).serve();
    let mut socket = connect(&host);
    socket.send(Message::text("one")).unwrap();
    socket.send(Message::text("two")).unwrap();
    socket.close(None).unwrap();
    socket.flush().unwrap();

    let frames = frames_of(socket.get_mut());
    assert_eq!(frames, [(1, b"one".to_vec()), (1, b"two".to_vec()), (8, Vec::new())]);
}

/// The opcodes and payloads of short frames until the connection ends.
#[track_caller]
fn frames_of(stream: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let (mut frames, mut rest) = (Vec::new(), &bytes[..]);
    while let [first, length, after @ ..] = rest {
        let (payload, later) = after.split_at(usize::from(*length));
        frames.push((first & 15, payload.to_vec()));
        rest = later;
    }
    frames
}

#[test]
fn the_handler_closes_with_its_code() {
    for (call, code, reason) in
        [("close(4000, 'bye')", 4000, "bye"), ("close(1000)", 1000, ""), ("close()", 1005, "")]
    {
        let body = format!(
            r#"server.accept();
            server.addEventListener("message", ({{ data }}) => {{
              server.send(data);
              server.{call};
              seen.push(server.readyState);
            }});
            return new Response(null, {{ status: 101, webSocket: client }});"#
        );
        let host = serving(&body).serve();
        let mut socket = connect(&host);

        socket.send(Message::text("last")).expect("a host");

        assert_eq!(next(&mut socket), Some(Message::text("last")), "{call}");
        let end = closed(&mut socket);
        assert!(end == (code, reason.into()) || (code == 1005 && end.0 == 1000), "{call}: {end:?}");
        assert_eq!(seen(&host, 3), json!([2, ["close", code, reason, true], "aborted"]), "{call}");
    }
}

#[test]
fn a_socket_that_is_closed_before_the_answer_still_sends_its_messages() {
    let host = serving(
        r#"server.accept();
        server.send("one word");
        server.close(4001, "that was all");
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .serve();

    let mut socket = connect(&host);

    assert_eq!(next(&mut socket), Some(Message::text("one word")));
    assert_eq!(closed(&mut socket), (4001, "that was all".into()));
}

#[test]
fn a_client_that_vanishes_is_an_error_and_1006() {
    let host = serving(ECHO).serve();
    let mut socket = connect(&host);
    socket.send(Message::text("here")).expect("a host");
    assert_eq!(next(&mut socket), Some(Message::text("here")));

    drop(socket);

    assert_eq!(seen(&host, 3), json!(["error", ["close", 1006, "", false], "aborted"]));
}

#[test]
fn a_client_that_breaks_the_rules_gets_a_close_code() {
    let host = serving(ECHO).serve();
    for (bytes, code) in [
        // A reserved bit; text that is not UTF-8; a frame without a mask.
        (&[0xf1, 0x81, 0, 0, 0, 0, b'a'][..], 1002),
        (&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007),
        (&[0x81, 0x01, b'a'], 1002),
    ] {
        let mut socket = connect(&host);

        std::io::Write::write_all(socket.get_mut(), bytes).expect("a host");

        assert_eq!(closed(&mut socket).0, code, "{bytes:?}");
    }
}

#[test]
fn a_message_over_the_hosts_limit_closes_the_socket() {
    let host = serving(ECHO).arg("--max-frame=1KiB").serve();
    let mut socket = connect(&host);

    socket.send(Message::binary(vec![0; 1025])).expect("a host");

    assert_eq!(closed(&mut socket).0, 1009);
}

#[test]
fn the_handler_answers_with_the_subprotocol_that_it_chose() {
    let host = serving(
        r#"server.accept();
        const headers = { "Sec-WebSocket-Protocol": event.url.searchParams.get("protocol"), "X-More": "1" };
        return new Response(null, { status: 101, webSocket: client, headers });"#,
    )
    .serve();
    let offer = [("sec-websocket-protocol", "other, chat")];

    let (_, response) = open(&host, "/?protocol=chat", &offer).expect("a socket");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert_eq!(response.headers()["x-more"], "1");

    assert_eq!(open(&host, "/?protocol=unheard", &offer).err(), Some(500));
    host.log.next("the client did not offer the subprotocol `unheard`");
}

#[test]
fn a_request_that_asks_for_no_socket_gets_426() {
    let host = serving(ECHO).serve();

    let answer = host.get("/");

    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("websocket")));
    assert_eq!(seen(&host, 3), json!(["error", ["close", 1006, "", false], "aborted"]));
}

#[test]
fn a_101_without_a_socket_is_the_handlers_fault() {
    for response in [
        "new Response(null, { status: 101 })",
        "(server.accept(), client.accept(), new Response(null, { status: 101, webSocket: client }))",
        "new Response(null, { status: 200, webSocket: client })",
        "new Response(null, { status: 101, webSocket: {} })",
    ] {
        let host = serving(&format!("return {response};")).serve();

        assert_eq!(open(&host, "/", &[]).err(), Some(500), "{response}");
        host.log.next("webSocket");
    }
}

#[test]
fn an_upgrade_that_the_handler_does_not_want_is_answered_as_any_request() {
    let host = serve("export default () => new Response('no sockets here', { status: 403 });");

    assert_eq!(open(&host, "/", &[]).err(), Some(403));
}

#[test]
fn pages_of_other_origins_get_no_socket_unless_they_may() {
    let own = |host: &Host| format!("http://{}", host.address());
    let host = serving(&format!("seen.push('ran'); {ECHO}")).serve();
    let friendly = serving(ECHO).arg("--allow-origin=https://friend.example").serve();

    assert_eq!(open(&host, "/", &[("origin", "https://friend.example")]).err(), Some(403));
    assert_eq!(host.get("/seen").json(), json!({ "seen": [] }), "the handler does not even run");
    assert!(open(&host, "/", &[("origin", &own(&host))]).is_ok());
    assert!(open(&friendly, "/", &[("origin", "https://friend.example")]).is_ok());
}

#[test]
fn a_handshake_that_is_not_one_is_refused() {
    let host = serving(ECHO).serve();
    let handshake =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade, close\r\nUpgrade: WebSocket\r\n";

    let without_key = host.raw(format!("{handshake}Sec-WebSocket-Version: 13\r\n\r\n").as_bytes());
    let old = host
        .raw(format!("{handshake}Sec-WebSocket-Key: AA==\r\nSec-WebSocket-Version: 8\r\n\r\n").as_bytes());

    assert!(without_key.starts_with("HTTP/1.1 400 "), "{without_key}");
    assert!(old.starts_with("HTTP/1.1 426 ") && old.contains("sec-websocket-version: 13"), "{old}");
}

/// RFC 6455 section 4.2.1, for the sockets of handlers and of lines.
#[test]
fn a_handshake_has_one_key_and_one_version() {
    let host = serving(ECHO).serve();
    let line = "/.liveline/00000000000000000000000000000000?v=2";
    let key = "dGhlIHNhbXBsZSBub25jZQ==";

    for path in ["/", line] {
        for (status, version, fields) in [
            (400, "1.1", "Sec-WebSocket-Key:\r\nSec-WebSocket-Version: 13".to_owned()),
            (400, "1.1", "Sec-WebSocket-Key: AA==\r\nSec-WebSocket-Version: 13".into()),
            (400, "1.1", format!("Sec-WebSocket-Key: {key}=\r\nSec-WebSocket-Version: 13")),
            (400, "1.1", "Sec-WebSocket-Key: not base64 at all!!!!!==\r\nSec-WebSocket-Version: 13".into()),
            (
                400,
                "1.1",
                format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"),
            ),
            (400, "1.1", format!("Sec-WebSocket-Key: {key}, {key}\r\nSec-WebSocket-Version: 13")),
            (400, "1.0", format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13")),
            (426, "1.1", format!("Sec-WebSocket-Key: {key}")),
            (426, "1.1", format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 12")),
            (426, "1.1", format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13, 8")),
            (
                426,
                "1.1",
                format!("Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"),
            ),
        ] {
            let request = format!(
                "GET {path} HTTP/{version}\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n{fields}\r\n\r\n"
            );
            let answer = host.raw(request.as_bytes());
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} "))
                    || answer.starts_with(&format!("HTTP/1.0 {status} ")),
                "{path} {fields}: {answer}"
            );
            assert_eq!(answer.contains("sec-websocket-version: 13"), status == 426, "{answer}");
        }
    }
    assert_eq!(host.get("/seen").json(), json!({ "seen": [] }), "no handler runs");
}

#[test]
fn timers_of_a_socket_end_with_it() {
    let host = serving(
        r#"server.accept();
        let n = 0;
        const timer = setInterval(() => server.send(String(n += 1)), 1);
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .serve();
    let mut socket = connect(&host);
    for n in 1..=3 {
        assert_eq!(next(&mut socket), Some(Message::text(n.to_string())));
    }

    socket.close(None).expect("a host");

    assert_eq!(seen(&host, 2)[1], "aborted");
}

#[test]
fn a_socket_stays_with_the_code_that_opened_it() {
    let version = |n: u8| {
        format!(
            r#"export default () => {{
              const [client, server] = Object.values(new WebSocketPair());
              server.accept();
              server.addEventListener("message", () => server.send("{n}"));
              return new Response(null, {{ status: 101, webSocket: client }});
            }}"#
        )
    };
    let host = Site::new().file("handler.js", version(1)).dev();
    let mut old = connect(&host);
    let ask = |socket: &mut WebSocket<TcpStream>| {
        socket.send(Message::text("which?")).expect("a host");
        next(socket)
    };
    assert_eq!(ask(&mut old), Some(Message::text("1")));

    host.site.write("handler.js", version(2));
    host.log.next("reloaded");

    let mut new = connect(&host);
    assert_eq!(ask(&mut new), Some(Message::text("2")));
    assert_eq!(ask(&mut old), Some(Message::text("1")));
}

#[test]
fn a_handler_that_spins_is_stopped_and_its_socket_closed() {
    let host = serving(
        r#"server.accept();
        server.addEventListener("message", () => { for (;;); });
        return new Response(null, { status: 101, webSocket: client });"#,
    )
    .arg("--cpu-timeout=100ms")
    .serve();
    let mut socket = connect(&host);

    socket.send(Message::text("go")).expect("a host");

    assert_eq!(closed(&mut socket).0, 4002);
}

/// A body for [`serving`] whose handler runs, for a message that begins with `until`, until there is a file of that name.
const BUSY: &str = r#"const { existsSync } = await import("node:fs");
    server.accept();
    server.addEventListener("message", ({ data }) => {
      server.send(`began ${data}`);
      while (data.startsWith("until") && !existsSync(import.meta.dirname + "/" + data));
      server.send(`ended ${data}`);
    });
    return new Response(null, { status: 101, webSocket: client });"#;

/// The thread of the isolate reads its sockets; while it runs a handler for long, the host reads them all the same.
#[test]
fn pings_are_answered_and_messages_read_while_a_handler_runs() {
    let host = serving(BUSY).arg("--workers=1").arg("--cpu-timeout=1m").serve();
    let (mut busy, mut other) = (connect(&host), connect(&host));
    let text = |text: &str| Some(Message::text(text.to_owned()));

    busy.send(Message::text("until-there")).expect("a host");
    assert_eq!(next(&mut busy), text("began until-there"));
    other.send(Message::text("waits")).expect("a host");
    other.send(Message::Ping("alive".into())).expect("a host");
    let pong = other.read().expect("a pong");
    // The handler runs until this file is there, so the pong came while it ran.
    host.site.write("until-there", "");

    assert_eq!(pong, Message::Pong("alive".into()));
    assert_eq!(next(&mut busy), text("ended until-there"));
    assert_eq!(next(&mut other), text("began waits"));
    assert_eq!(next(&mut other), text("ended waits"));
}

/// An end whose other one a client has is of no use to a second client, which gets no socket.
#[test]
fn both_ends_of_a_pair_cannot_go_to_clients() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"let pair;
            export default () => {
              const second = pair !== undefined;
              pair ??= Object.values(new WebSocketPair());
              return new Response(null, { status: 101, webSocket: pair[second ? 1 : 0] });
            }"#,
        )
        .arg("--workers=1")
        .serve();
    let _first = connect(&host);

    assert_eq!(open(&host, "/", &[]).err(), Some(500));
    host.log.next("went to a client");
}

/// What a client sends while the thread that reads its socket runs a handler is a sign of life all the same.
#[test]
fn a_client_that_answers_pings_is_alive_while_a_handler_runs() {
    let host = serving(BUSY)
        .arg("--workers=1")
        .arg("--cpu-timeout=1m")
        .arg("--ping-interval=500ms")
        .arg("--ping-timeout=2500ms")
        .serve();
    let mut socket = connect(&host);

    socket.send(Message::text("until-there")).expect("a host");
    assert_eq!(socket.read().expect("a message"), Message::text("began until-there"));
    // Reading a ping answers it. Twelve of them take longer than the host waits for a client that is silent.
    for _ in 0..12 {
        let ping = socket.read().expect("a ping");
        assert!(ping.is_ping(), "{ping}");
    }
    host.site.write("until-there", "");

    assert_eq!(next(&mut socket), Some(Message::text("ended until-there")));
}

#[test]
fn two_handlers_talk_to_each_other() {
    let host = Site::new()
        .file(
            "echo/handler.js",
            r#"export default () => {
              const [client, server] = Object.values(new WebSocketPair());
              server.accept();
              server.onmessage = ({ data }) => server.send(data);
              return new Response(null, { status: 101, webSocket: client });
            }"#,
        )
        .file(
            "handler.js",
            r#"export default async function (event, next) {
              if (next.stepname) return next();
              const socket = new WebSocket(event.url.href + "echo");
              await new Promise((resolve) => socket.onopen = resolve);
              const large = "x".repeat(900_000);
              socket.send(large);
              const { data } = await new Promise((resolve) => socket.onmessage = resolve);
              socket.close(1000);
              await new Promise((resolve) => socket.onclose = resolve);
              return { same: data === large };
            }"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!({ "same": true }));
}

/// A handler may answer with the socket of another server, and may talk to that itself.
#[test]
fn fetch_gets_the_socket_of_another_server() {
    let upstream = Site::new()
        .file(
            "handler.js",
            r#"export default function ({ request, url }) {
              if (url.pathname === "/odd") return new Response(null, { status: 403, headers: { "x-name": "\u00e9" } });
              if (url.pathname === "/waits") return new Promise(() => {});
              if (url.pathname === "/refused") return new Response("not you", { status: 403, headers: { "x-why": "rank" } });
              const [client, server] = Object.values(new WebSocketPair());
              server.accept();
              server.binaryType = "arraybuffer";
              server.addEventListener("message", ({ data }) => data === "bye" ? server.close(1012, "gone") : server.send(data));
              server.send(`${url.search} ${request.headers.get("authorization")} ${request.headers.get("x-own")} ${request.headers.get("x-hop")}`);
              const headers = { "x-from": "upstream" };
              if (request.headers.has("sec-websocket-protocol")) headers["sec-websocket-protocol"] = "chat";
              return new Response(null, { status: 101, webSocket: client, headers });
            }"#,
        )
        .serve();
    let site = Site::new().file(
        "handler.js",
        format!(
            r#"const upstream = "http://{}";
            const headers = {{ upgrade: "WebSocket", authorization: "Bearer key", "x-own": "1" }};
            export default async function ({{ request, url }}) {{
              if (url.pathname === "/passed") return fetch(upstream + "/?passed", request);
              const response = await fetch(upstream + "/refused", {{ headers }});
              const refused = [response.status, response.webSocket, response.headers.get("x-why"), await response.text()];
              const {{ status, webSocket }} = await fetch(upstream + "/?talks", {{ headers }});
              const heard = [];
              webSocket.binaryType = "arraybuffer";
              webSocket.accept();
              await new Promise((resolve) => {{
                webSocket.addEventListener("message", ({{ data }}) => {{
                  heard.push(typeof data === "string" ? data : new Uint8Array(data).length);
                  if (heard.length === 1) webSocket.send("said");
                  if (heard.length === 2) webSocket.send(new Uint8Array(3));
                  if (heard.length === 3) webSocket.send("bye");
                }});
                webSocket.addEventListener("close", ({{ code, reason }}) => resolve(heard.push([code, reason])));
              }});
              const waits = await fetch(upstream + "/waits", {{ headers, signal: AbortSignal.timeout(20) }}).catch((error) => error.name);
              const odd = (await fetch(upstream + "/odd", {{ headers }})).headers.get("x-name");
              const gone = await fetch("http://127.0.0.1:1/", {{ headers }}).catch((error) => error.name);
              return {{ refused, status, heard, gone, waits, odd }};
            }}"#,
            upstream.address()
        ),
    );
    let host = site.serve();

    let talked = host.get("/").json();
    let heard = json!(["?talks Bearer key 1 null", "said", 3, [1012, "gone"]]);
    let refused = json!([403, null, "rank", ""]);
    assert_eq!(
        talked,
        json!({ "refused": refused, "status": 101, "heard": heard, "gone": "TypeError", "waits": "TimeoutError", "odd": "\u{e9}" })
    );

    let headers = [
        ("authorization", "Basic me"),
        ("x-own", "\u{e9}"),
        ("sec-websocket-protocol", "chat"),
        ("x-hop", "1"),
        ("connection", "upgrade, x-hop"),
    ];
    let (mut socket, response) = open(&host, "/passed", &headers).expect("a socket");
    assert_eq!(response.headers()["x-from"], "upstream");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert_eq!(next(&mut socket), Some(Message::text("?passed Basic me \u{c3}\u{a9} null")));
    socket.send(Message::binary(vec![1, 2])).expect("an open socket");
    assert_eq!(next(&mut socket), Some(Message::binary(vec![1, 2])));
    socket.send("bye".into()).expect("an open socket");
    assert_eq!(closed(&mut socket), (1012, "gone".to_owned()));
}

/// What another server sends waits there while the handler has not accepted, or the client does not read.
#[test]
fn messages_of_another_server_wait_for_who_gets_them() {
    const COUNT: usize = 20;
    const LENGTH: usize = 300_000;
    let upstream = serving(&format!(
        r#"server.accept();
        for (let n = 0; n < {COUNT}; n++) server.send(`${{n}} `.padEnd({LENGTH}, "x"));
        server.close(4000, "all");
        return new Response(null, {{ status: 101, webSocket: client }});"#
    ))
    .arg("--max-queue=64MiB")
    .serve();
    let site = Site::new().file(
        "handler.js",
        format!(
            r#"const upstream = "http://{}/";
            export default async ({{ request, url }}) => {{
              if (url.pathname === "/passed") return fetch(upstream, request);
              const {{ webSocket }} = await fetch(upstream, {{ headers: {{ upgrade: "websocket" }} }});
              // By this answer the other server has sent everything.
              await fetch(`${{upstream}}seen`);
              let count = 0;
              const code = new Promise((resolve) => webSocket.addEventListener("close", (event) => resolve(event.code)));
              webSocket.addEventListener("message", ({{ data }}) => count += data.startsWith(`${{count}} `));
              webSocket.accept();
              return [await code, count];
            }};"#,
            upstream.address()
        ),
    );
    let host = site.serve();
    assert_eq!(host.get("/").json(), json!([4000, COUNT]));

    let (mut socket, _) = open(&host, "/passed", &[]).expect("a socket");
    for n in 0..COUNT {
        let Some(Message::Text(text)) = next(&mut socket) else { panic!("message {n} was to come") };
        assert!(text.len() == LENGTH && text.starts_with(&format!("{n} ")), "{n}");
    }
    assert_eq!(closed(&mut socket), (4000, "all".to_owned()));
}

/// The bytes of messages that clients begin and do not end are limited, also in sum.
#[test]
fn messages_that_do_not_end_have_one_budget() {
    const SENT: usize = 200_000;
    // One address may have half of it.
    let host = serving(ECHO).arg("--max-bodies=1MiB").serve();
    let mut begun = vec![0x82, 0xff];
    begun.extend((SENT as u64).to_be_bytes());
    begun.extend([0; 4]);
    begun.resize(begun.len() + SENT - 1, b'x');
    let (tell, told) = mpsc::channel();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut socket = connect(&host);
        let mut stream = socket.get_ref().try_clone().expect("a second handle");
        let tell = tell.clone();
        std::thread::spawn(move || tell.send(next(&mut socket)).expect("the test listens"));
        // This fails where the host has closed the connection meanwhile.
        let _ = stream.write_all(&begun);
        streams.push(stream);
    }
    drop(tell);
    for _ in 0..17 {
        let Ok(Some(Message::Close(Some(close)))) = told.recv() else { panic!("a close frame was to come") };
        let expected = (CloseCode::Again, "too many messages have begun and not ended");
        assert_eq!((close.code, &*close.reason), expected);
    }
    // There is room for the others.
    streams.iter_mut().for_each(|stream| drop(stream.write_all(b"x")));
    let others: Vec<_> = (17..20).map(|_| told.recv().expect("the others hear something")).collect();
    let is_echo =
        |heard: &Option<Message>| matches!(heard, Some(Message::Binary(bytes)) if bytes.len() == SENT);
    assert!(others.iter().any(is_echo), "{others:?}");
    let mut socket = connect(&host);
    socket.send("hello".into()).expect("an open socket");
    assert_eq!(next(&mut socket), Some(Message::text("hello")));
}
