//! Fastify's plugin trees: the shop of the course, its variants, sockets, reloads and errors.
//!
//! The shop is `examples/fastify`, the files of the course as its text prints them. What real Fastify does stands in
//! `tests/oracle/fastify/recorded`; these tests are about what liveline does besides.

mod copies;
mod errors;
mod lessons;
mod packages;
mod reload;
mod seed;
mod sockets;
mod standalone;
mod state;

use std::net::TcpStream;

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocket;

use crate::support::{Host, Site};
use crate::websockets::next;

type Socket = WebSocket<TcpStream>;

/// The files of the shop, below `mock-srv/` and `static/`.
const SHOP: [(&str, &str); 8] = [
    ("mock-srv/package.json", include_str!("shop_package.json")),
    ("mock-srv/app.mjs", include_str!("../../../examples/fastify/mock-srv/app.mjs")),
    (
        "mock-srv/plugins/data-utils.mjs",
        include_str!("../../../examples/fastify/mock-srv/plugins/data-utils.mjs"),
    ),
    ("mock-srv/routes/orders/index.mjs", ORDERS),
    (
        "mock-srv/routes/electronics/index.mjs",
        include_str!("../../../examples/fastify/mock-srv/routes/electronics/index.mjs"),
    ),
    (
        "mock-srv/routes/confectionery/index.mjs",
        include_str!("../../../examples/fastify/mock-srv/routes/confectionery/index.mjs"),
    ),
    ("static/index.html", include_str!("../../../examples/fastify/static/index.html")),
    ("static/app.js", include_str!("../../../examples/fastify/static/app.js")),
];
const ORDERS: &str = include_str!("../../../examples/fastify/mock-srv/routes/orders/index.mjs");
/// Where the course changes its socket.
const ORDERS_FILE: &str = "mock-srv/routes/orders/index.mjs";
const APP_FILE: &str = "mock-srv/app.mjs";

/// The shop, with `mock-srv/` served.
fn shop() -> Site {
    SHOP.iter().fold(Site::new(), |site, (path, content)| site.file(path, content)).serving("mock-srv")
}

/// The shop with another route of sockets.
fn shop_with(orders: &str) -> Site {
    shop().file(ORDERS_FILE, orders)
}

/// The shop with a text of one file replaced, which must be there.
#[track_caller]
fn shop_edited(file: &str, old: &str, new: &str) -> Site {
    let (_, content) = SHOP.iter().find(|(path, _)| *path == file).expect("a file of the shop");
    assert!(content.contains(old), "{file} has no {old:?}");
    shop().file(file, content.replacen(old, new, 1))
}

/// A tree whose root registers the plugin of sockets and then runs this body.
fn tree(body: &str) -> Site {
    bare_tree(&format!("await fastify.register(websocket);\n{body}"))
}

/// A tree of one file with this body.
fn bare_tree(body: &str) -> Site {
    Site::new().file(
        "app.mjs",
        format!(
            r#"import fp from "fastify-plugin";
            import websocket from "@fastify/websocket";
            const log = [];
            const soon = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));
            export default async function (fastify, opts) {{
              fastify.get("/log", async () => log);
              {body}
            }}"#
        ),
    )
}

/// Opens a WebSocket that must not be refused.
#[track_caller]
fn open(host: &Host, path: &str) -> Socket {
    let dial = host.dial(path);
    dial.upgrade().unwrap_or_else(|status| panic!("{path} was refused with {status}")).0
}

/// The status that a WebSocket is refused with.
#[track_caller]
fn refusal(host: &Host, path: &str) -> u16 {
    host.dial(path).upgrade().err().unwrap_or_else(|| panic!("{path} was not refused"))
}

/// The next message, a text.
#[track_caller]
fn text(socket: &mut Socket) -> String {
    match next(socket) {
        Some(Message::Text(text)) => text.to_string(),
        other => panic!("{other:?} instead of a text"),
    }
}

/// The next message, JSON.
#[track_caller]
fn json_of(socket: &mut Socket) -> Value {
    let text = text(socket);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The next order: the product and its total.
#[track_caller]
fn order(socket: &mut Socket) -> (String, u64) {
    let order = json_of(socket);
    let (Some(id), Some(total)) = (order["id"].as_str(), order["total"].as_u64()) else {
        panic!("{order} is no order");
    };
    (id.to_owned(), total)
}

#[track_caller]
fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).expect("a host that reads");
}

/// What the tree has noted at `/log`, once that holds `word`.
#[track_caller]
fn logged(host: &Host, word: &str) -> Value {
    host.until("/log", |answer| answer.status == 200 && answer.text().contains(word)).json()
}
