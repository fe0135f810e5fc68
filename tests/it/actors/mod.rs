//! Actors of handlers: `liveline:actors`.

mod calls;
#[cfg(unix)]
mod durability;
mod failures;
mod gates;
mod reload;
mod sockets;
mod storage;

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use crate::support::{Host, Site};
use crate::websockets::next;

/// A site with the class `Room`, whose body this is. `POST /method?name=x` calls a method of the room `x` with the
/// arguments in the request's body; `/fetch/...` and `/ws` pass the request to it.
fn rooms(body: &str) -> Site {
    rooms_of(2, body)
}

/// The same with this number of workers.
fn rooms_of(workers: usize, body: &str) -> Site {
    Site::new().file("handler.js", handler(body)).arg(&format!("--workers={workers}"))
}

fn handler(body: &str) -> String {
    format!(
        r#"import {{ Actor, actors, RpcTarget, WebSocketRequestResponsePair }} from "liveline:actors";
        let made = 0;
        class Room extends Actor {{
          made = ++made;
          {body}
        }}
        const rooms = actors("Room", Room);
        export default async function (event) {{
          const url = new URL(event.request.url);
          const room = rooms.getByName(url.searchParams.get("name") ?? "a");
          const method = url.pathname.split("/")[1];
          if (method === "ws" || method === "fetch") return room.fetch(event.request);
          try {{
            const value = await room[method](...await event.request.json());
            return {{ value: value ?? null }};
          }} catch ({{ name, message, remote, retryable, overloaded }}) {{
            return {{ name, message, remote, retryable, overloaded }};
          }}
        }}"#
    )
}

/// Calls a method of a room. Returns `{ value }`, or the error.
#[track_caller]
fn call(host: &Host, name: &str, method: &str, arguments: &Value) -> Value {
    let answer = host.request("POST", &format!("/{method}?name={name}")).json(arguments).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What a method of the room `a` returns.
#[track_caller]
fn value(host: &Host, method: &str, arguments: &Value) -> Value {
    let mut answer = call(host, "a", method, arguments);
    assert!(answer.get("value").is_some(), "{answer}");
    answer["value"].take()
}

/// What a method of the room `a` without arguments returns.
#[track_caller]
fn get(host: &Host, method: &str) -> Value {
    value(host, method, &json!([]))
}

/// Opens a WebSocket to the room `a`.
#[track_caller]
fn connect(host: &Host) -> WebSocket<TcpStream> {
    host.dial("/ws").upgrade().unwrap_or_else(|status| panic!("refused with {status}")).0
}

/// The next text message.
#[track_caller]
fn text(socket: &mut WebSocket<TcpStream>) -> String {
    next(socket).expect("the socket is open").into_text().expect("a text").to_string()
}
