//! WebSockets that a handler opens to other servers.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{self, Message};

use super::websockets::{closed, frame, next};
use crate::support::{Host, PATIENCE, handler, serve};

/// A server of one WebSocket, which this conversation is held on. It agrees to the subprotocol `chat`.
fn server<T: Send + 'static>(
    conversation: impl FnOnce(&mut WebSocket<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let agree = |request: &Request, mut response: Response| {
            let offered = request.headers().get("sec-websocket-protocol");
            if offered.is_some_and(|names| names.as_bytes().windows(4).any(|name| name == b"chat")) {
                response.headers_mut().insert("sec-websocket-protocol", "chat".parse().expect("a value"));
            }
            Ok(response)
        };
        let mut socket = tungstenite::accept_hdr(stream, agree).expect("a handshake");
        conversation(&mut socket)
    });
    (address, served)
}

/// A host whose handler has `url`, a WebSocket's address, and `events`, which records the events of a socket in `seen`.
/// It answers with `seen` once `over` is called.
fn talking(address: SocketAddr, body: &str) -> Host {
    serve(&handler(&format!(
        r#"const url = "ws://{address}/";
        const seen = [];
        let over;
        const isOver = new Promise((resolve) => over = resolve);
        const events = (socket) => {{
          socket.binaryType = "arraybuffer";
          socket.onopen = () => seen.push(["open", socket.readyState, socket.protocol]);
          socket.onmessage = ({{ data }}) =>
            seen.push(typeof data === "string" ? ["text", data] : ["bytes", ...new Uint8Array(data)]);
          socket.onerror = (e) => seen.push(["error", e instanceof ErrorEvent, e.message !== ""]);
          socket.onclose = ({{ code, reason, wasClean }}) => {{
            seen.push(["close", code, reason, wasClean, socket.readyState]);
            over();
          }};
          return socket;
        }};
        {body}
        await isOver;
        return seen;"#
    )))
}

#[test]
fn a_handler_talks_to_a_server() {
    let (address, served) = server(|socket| {
        let heard: Vec<_> = (0..4).map(|_| next(socket).expect("a message")).collect();
        socket.send(Message::text("hi")).expect("a client");
        socket.send(Message::binary(vec![1, 2])).expect("a client");
        socket.close(Some(frame(4001, "enough"))).expect("a client");
        (heard, closed(socket))
    });
    let host = talking(
        address,
        r#"const socket = events(new WebSocket(url));
        socket.addEventListener("open", () => {
          socket.send("hello");
          socket.send(new Blob(["from a", " blob"]));
          socket.send(new Uint8Array([7, 8, 9]).subarray(1));
          socket.send(new Uint8Array([5]).buffer);
        });"#,
    );

    let seen = host.get("/").json();

    let expected =
        json!([["open", 1, ""], ["text", "hi"], ["bytes", 1, 2], ["close", 4001, "enough", true, 3]]);
    assert_eq!(seen, expected);
    let (heard, end) = served.join().expect("a conversation");
    let blob = Message::binary("from a blob".as_bytes().to_vec());
    let bytes = [vec![8, 9], vec![5]].map(Message::binary);
    assert_eq!(heard, [vec![Message::text("hello"), blob], bytes.to_vec()].concat());
    assert_eq!(end, (4001, "enough".into()), "the close frame is answered");
}

#[test]
fn close_sends_its_code_after_the_messages() {
    for (call, expected) in [
        ("close()", (1005, "")),
        ("close(1000)", (1000, "")),
        ("close(3000, 'so long')", (3000, "so long")),
        ("close(undefined, 'words')", (1000, "words")),
    ] {
        let (address, served) = server(|socket| (next(socket), next(socket), closed(socket)));
        let host = talking(
            address,
            &format!(
                r#"const socket = events(new WebSocket(url));
                socket.onopen = () => {{
                  socket.send(new Blob(["1"]));
                  socket.send("2");
                  socket.{call};
                  seen.push(["closing", socket.readyState]);
                  socket.send("never");
                  seen.push(["amount", socket.bufferedAmount]);
                }};"#
            ),
        );

        let seen = host.get("/").json();

        let (code, reason) = expected;
        let end = json!([["closing", 2], ["amount", 7], ["close", code, reason, true, 3]]);
        assert_eq!(seen, end, "{call}");
        let heard = served.join().expect("a conversation");
        let messages = (Some(Message::binary(vec![b'1'])), Some(Message::text("2")));
        assert_eq!((heard.0, heard.1), messages, "{call}");
        assert_eq!(heard.2, (code, reason.into()), "{call}");
    }
}

#[test]
fn a_connection_that_breaks_is_an_error_and_1006() {
    let (address, served) = server(|_| ());
    let lost = talking(address, "events(new WebSocket(url));");
    let nobody = talking(SocketAddr::from(([127, 0, 0, 1], 1)), "events(new WebSocket(url));");

    assert_eq!(
        lost.get("/").json(),
        json!([["open", 1, ""], ["error", true, true], ["close", 1006, "", false, 3]])
    );
    assert_eq!(nobody.get("/").json(), json!([["error", true, true], ["close", 1006, "", false, 3]]));
    served.join().expect("a conversation");
}

#[test]
fn a_server_that_breaks_the_rules_gets_a_close_code_after_the_answers() {
    let (address, served) = server(|socket| {
        socket.send(Message::text("1")).expect("a client");
        socket.flush().expect("a client");
        // A frame with a reserved bit.
        std::io::Write::write_all(socket.get_mut(), &[0xf1, 0x01, b'2']).expect("a client");
        (next(socket), closed(socket).0)
    });
    let host = talking(
        address,
        "const socket = events(new WebSocket(url)); socket.addEventListener('message', (e) => socket.send(e.data));",
    );

    let seen = host.get("/").json();

    let expected =
        json!([["open", 1, ""], ["text", "1"], ["error", true, true], ["close", 1006, "", false, 3]]);
    assert_eq!(seen, expected);
    assert_eq!(served.join().expect("a conversation"), (Some(Message::text("1")), 1002));
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let (address, served) = server(|socket| {
        // The client may have closed before all of it is written.
        let _ = socket.send(Message::binary(vec![0; 16 * 1024 * 1024 + 1]));
        closed(socket).0
    });
    let host = talking(address, "events(new WebSocket(url));");

    let seen = host.get("/").json();

    assert_eq!(seen[2], json!(["close", 1006, "", false, 3]));
    assert!([1006, 1009].contains(&served.join().expect("a conversation")));
}

#[test]
fn the_server_chooses_a_subprotocol() {
    let (address, served) = server(closed);
    let host = talking(
        address,
        "events(new WebSocket(url, ['other', 'chat'])).addEventListener('open', (e) => e.target.close());",
    );
    let (other, refused) = server(closed);
    let stubborn = talking(other, "events(new WebSocket(url, 'other'));");

    assert_eq!(host.get("/").json()[0], json!(["open", 1, "chat"]));
    assert_eq!(
        stubborn.get("/").json(),
        json!([["error", true, true], ["close", 1006, "", false, 3]]),
        "a subprotocol was asked for, and the server speaks none"
    );
    served.join().expect("a conversation");
    refused.join().expect("a conversation");
}

#[test]
fn arguments_that_make_no_socket_throw_at_once() {
    let host = serve(&handler(
        r#"const tried = (call) => {
          try {
            return [call().url];
          } catch (error) {
            return [error instanceof DOMException, error.name];
          }
        };
        return [
          () => new WebSocket("/relative"),
          () => new WebSocket("ftp://localhost/"),
          () => new WebSocket("ws://localhost/#part"),
          () => new WebSocket("ws://localhost/", ["a", "A"]),
          () => new WebSocket("ws://localhost/", "not a token"),
          () => new WebSocket(),
          () => WebSocket("ws://localhost/"),
          () => new WebSocket("http://127.0.0.1:1/a?b"),
          () => new WebSocket("https://127.0.0.1:1/"),
          () => new WebSocket("ws://127.0.0.1:1/").send("too soon"),
          () => new WebSocket("ws://127.0.0.1:1/").close(1001),
          () => new WebSocket("ws://127.0.0.1:1/").close(1000, "x".repeat(124)),
        ].map(tried);"#,
    ));

    let syntax = || json!([true, "SyntaxError"]);
    let expected = json!([
        syntax(),
        syntax(),
        syntax(),
        syntax(),
        syntax(),
        [false, "TypeError"],
        [false, "TypeError"],
        ["ws://127.0.0.1:1/a?b"],
        ["wss://127.0.0.1:1/"],
        [true, "InvalidStateError"],
        [true, "InvalidAccessError"],
        syntax(),
    ]);
    assert_eq!(host.get("/").json(), expected);
}

#[test]
fn a_socket_has_what_the_standard_lists() {
    let (address, served) = server(|socket| {
        socket.send(Message::binary(vec![1, 2, 3])).expect("a client");
        closed(socket)
    });
    let host = talking(
        address,
        r#"const socket = new WebSocket(new URL(url));
        seen.push([String(socket), socket.readyState, socket.bufferedAmount, socket.extensions, socket.binaryType]);
        seen.push([WebSocket.CONNECTING, WebSocket.OPEN, socket.CLOSING, WebSocket.prototype.CLOSED]);
        socket.binaryType = "nonsense";
        socket.onmessage = ({ data, origin }) => {
          seen.push([data instanceof Blob, data.size, origin === url.slice(0, -1), socket.binaryType]);
          socket.onmessage = null;
          socket.close();
        };
        socket.onclose = over;"#,
    );

    let seen = host.get("/").json();

    assert_eq!(
        seen,
        json!([["[object WebSocket]", 0, 0, "", "blob"], [0, 1, 2, 3], [true, 3, true, "blob"]])
    );
    served.join().expect("a conversation");
}

#[test]
fn a_socket_ends_with_the_exchange_that_opened_it() {
    let (address, served) = server(closed);
    let host = serve(&format!(
        r#"const seen = [];
        let late;
        export default async function (event, next) {{
          if (next.stepname === "seen") return {{ seen, late: await late }};
          const socket = new WebSocket("ws://{address}/");
          await new Promise((resolve) => socket.onopen = resolve);
          socket.onclose = ({{ code }}) => seen.push(code, socket.readyState);
          late = event.request.text().then(() => new Promise((r) => event.signal.addEventListener("abort", r)))
            .then(() => {{ try {{ new WebSocket("ws://{address}/"); }} catch (error) {{ return error.name; }} }});
          event.signal;
          return "done";
        }}"#
    ));

    assert_eq!(host.get("/").text(), "done");

    assert_eq!(served.join().expect("a conversation").0, 1001);
    assert_eq!(host.get("/seen").json(), json!({ "seen": [1001, 3], "late": "InvalidStateError" }));
}
