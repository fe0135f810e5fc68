// The clients of the example for LARC: what was disconnected does not connect again.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

const opened = [];

class Connection {
  static OPEN = 1;
  static CLOSED = 2;
  readyState = Connection.OPEN;

  constructor() {
    opened.push(this);
  }

  addEventListener() {}

  close() {
    this.readyState = Connection.CLOSED;
  }
}

Object.assign(globalThis, {
  EventSource: Connection,
  WebSocket: Connection,
  localStorage: { getItem: () => '{"id":"a","name":"Ada"}' },
  location: { origin: "http://app.example" },
});
const services = "../../examples/larc/public/services";
const { SSEClient } = await import(`${services}/sse-client.js`);
const { WebSocketClient } = await import(`${services}/websocket-client.js`);

test("a_client_that_was_disconnected_does_not_connect_again", () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  for (const isDisconnected of [false, true]) {
    opened.length = 0;
    const events = new SSEClient();
    const sockets = new WebSocketClient();
    events.connect();
    sockets.connect().catch(() => {});
    const [source, socket] = opened;
    source.close();
    source.onerror();
    socket.close();
    socket.onclose({ code: 1006, reason: "" });
    if (isDisconnected) for (const client of [events, sockets]) client.disconnect();
    mock.timers.tick(60_000);
    assert.equal(opened.length, isDisconnected ? 2 : 4);
  }
});
