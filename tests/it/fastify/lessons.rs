//! The lessons after the printed one: commands over the socket, and orders that come from requests. FW-A12, FW-A13.

use serde_json::{Value, json};

use super::{json_of, open, send, shop};
use crate::support::{Host, Site};

/// The next lesson's routes, with a set of listeners where the course has one stream for all. A stream gives each
/// order to one of its readers alone, as in Node.
fn next_lesson() -> Site {
    shop()
        .file(
            "mock-srv/plugins/data-utils.mjs",
            r#"import fp from "fastify-plugin";
import { on, EventEmitter } from "node:events";

const orders = { A1: { total: 3 }, A2: { total: 7 }, B1: { total: 101 } };
const catToPrefix = { electronics: "A", confectionery: "B" };
const changes = new EventEmitter();

function* currentOrders(category) {
  const idPrefix = catToPrefix[category];
  if (!idPrefix) return;
  for (const id of Object.keys(orders).filter((id) => id[0] === idPrefix)) yield JSON.stringify({ id, ...orders[id] });
}

async function* realtimeOrders(signal) {
  for await (const [order] of on(changes, "order", { signal })) yield order;
}

function addOrder(id, amount) {
  if (!Object.hasOwn(orders, id)) {
    const error = new Error(`Order ${id} not found`);
    error.status = 404;
    throw error;
  }
  if (!Number.isInteger(amount)) {
    const error = new Error("Supplied amount must be an integer");
    error.status = 400;
    throw error;
  }
  orders[id].total += amount;
  changes.emit("order", JSON.stringify({ id, total: orders[id].total }));
}

export default fp(async function (fastify, opts) {
  fastify.decorate("currentOrders", currentOrders);
  fastify.decorate("realtimeOrders", realtimeOrders);
  fastify.decorate("addOrder", addOrder);
  fastify.decorate("mockDataInsert", (request, category, data) => data);
});
"#,
        )
        .file(
            "mock-srv/routes/orders/index.mjs",
            r#""use strict";

export default async function (fastify, opts) {
  function monitorMessages(socket) {
    socket.on("message", (data) => {
      try {
        const { cmd, payload } = JSON.parse(data);
        if (cmd === "update-category") {
          sendCurrentOrders(payload.category, socket);
        }
      } catch (err) {
        fastify.log.warn("WebSocket Message (data: %o) Error: %s", data, err.message);
      }
    });
  }

  function sendCurrentOrders(category, socket) {
    for (const order of fastify.currentOrders(category)) {
      socket.send(order);
    }
  }

  fastify.get("/:category", { websocket: true }, async ({ socket }, request) => {
    monitorMessages(socket);
    sendCurrentOrders(request.params.category, socket);
    const leaving = new AbortController();
    socket.on("close", () => leaving.abort());
    try {
      for await (const order of fastify.realtimeOrders(leaving.signal)) {
        if (socket.readyState >= socket.CLOSING) break;
        socket.send(order);
      }
    } catch (err) {
      if (err.name !== "AbortError") throw err;
    }
  });

  fastify.post("/:id", async (request) => {
    const { id } = request.params;
    fastify.addOrder(id, request.body.amount);
    return { ok: true };
  });
}
"#,
        )
}

fn post(host: &Host, id: &str, body: &Value) -> (u16, Value) {
    let answer = host.request("POST", &format!("/orders/{id}")).json(body).send();
    (answer.status, answer.json())
}

/// FW-A12.
#[test]
fn an_order_reaches_all_sockets() {
    let host = next_lesson().dev();
    let mut sockets = [open(&host, "/orders/electronics"), open(&host, "/orders/electronics")];
    for socket in &mut sockets {
        assert_eq!(json_of(socket), json!({ "id": "A1", "total": 3 }));
        assert_eq!(json_of(socket), json!({ "id": "A2", "total": 7 }));
    }

    assert_eq!(post(&host, "A1", &json!({ "amount": 10 })), (200, json!({ "ok": true })));
    for socket in &mut sockets {
        assert_eq!(json_of(socket), json!({ "id": "A1", "total": 13 }));
    }

    // One leaves: the other goes on.
    let [first, mut second] = sockets;
    drop(first);
    assert_eq!(post(&host, "A2", &json!({ "amount": 1 })), (200, json!({ "ok": true })));
    assert_eq!(json_of(&mut second), json!({ "id": "A2", "total": 8 }));
}

#[test]
fn orders_that_are_wrong_have_their_status() {
    let host = next_lesson().dev();
    let (status, body) = post(&host, "Z9", &json!({ "amount": 1 }));
    assert_eq!((status, &body["message"]), (404, &json!("Order Z9 not found")));
    let (status, body) = post(&host, "A1", &json!({ "amount": "many" }));
    assert_eq!((status, &body["error"]), (400, &json!("Bad Request")));
}

/// FW-A13.
#[test]
fn a_command_switches_the_category() {
    let host = next_lesson().dev();
    let mut socket = open(&host, "/orders/electronics");
    assert_eq!(json_of(&mut socket)["id"], "A1");
    assert_eq!(json_of(&mut socket)["id"], "A2");

    send(&mut socket, r#"{"cmd":"update-category","payload":{"category":"confectionery"}}"#);
    assert_eq!(json_of(&mut socket), json!({ "id": "B1", "total": 101 }));

    // What is no JSON is logged, and the socket goes on.
    send(&mut socket, "{malformed");
    host.log.next("WebSocket Message");
    send(&mut socket, r#"{"cmd":"update-category","payload":{"category":"electronics"}}"#);
    assert_eq!(json_of(&mut socket)["id"], "A1");
}

/// Each order of a shared `PassThrough` has one reader, and the first reader that leaves ends it: as in Node.
#[test]
fn a_shared_stream_keeps_nodes_rules() {
    let host = super::tree(
        r#"const { PassThrough } = await import("node:stream");
        const stream = new PassThrough({ objectMode: true });
        const read = async (name) => { for await (const order of stream) log.push([name, order]); };
        read("a");
        read("b");
        for (const n of [1, 2, 3, 4]) stream.write(n);
        fastify.get("/destroyed", async () => {
          const other = new PassThrough({ objectMode: true });
          other.write(1);
          for await (const order of other) break;
          return { destroyed: other.destroyed };
        });"#,
    )
    .dev();

    let seen = super::logged(&host, "4");
    let orders: Vec<_> = seen.as_array().expect("a list").iter().map(|entry| entry[1].clone()).collect();
    assert_eq!(orders, [1, 2, 3, 4], "each order once: {seen}");
    assert_eq!(host.get("/destroyed").json(), json!({ "destroyed": true }));
}
