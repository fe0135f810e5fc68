// graphql-ws and graphql-sse as the clients of scripts' subscriptions.

import assert from "node:assert/strict";
import test from "node:test";

import { createClient as createEventsClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import WebSocket from "ws";

const origin = process.env.LIVELINE_ORIGIN;

const socketClient = () =>
  createSocketClient({ url: `${origin.replace("http", "ws")}/graphql/ws`, retryAttempts: 0, webSocketImpl: WebSocket });
const eventsClient = (path) => createEventsClient({ url: `${origin}${path}`, retryAttempts: 0 });
const clients = [
  ["graphql-ws", socketClient],
  ["graphql-sse", () => eventsClient("/graphql/stream")],
  ["graphql-sse, protocol in the query", () => eventsClient("/graphql/sse?protocol=distinct")],
];

const send = () => fetch(`${origin}/send`, { method: "POST" });

for (const [name, connect] of clients) {
  test(`${name}: a subscription has a first value and messages, until the client ends it`, async () => {
    const client = connect();
    const results = client.iterate({ query: "subscription { liveEvents }" });
    assert.deepEqual((await results.next()).value, { data: { liveEvents: "active" } });
    for (let n = 0; n < 3; n++) {
      await send();
      const { data } = (await results.next()).value;
      assert.equal(typeof JSON.parse(data.liveEvents).n, "number");
    }
    await results.return();
    assert.equal((await results.next()).done, true);
    client.dispose();
  });

  test(`${name}: queries, variables, mutations`, async () => {
    const client = connect();
    const query = { query: "query ($name: String!) { hello(name: $name) }", variables: { name: "ann" } };
    assert.deepEqual((await client.iterate(query).next()).value, { data: { hello: "hello ann" } });
    const done = client.iterate({ query: "{ __typename }" });
    assert.deepEqual((await done.next()).value, { data: { __typename: "Query" } });
    assert.equal((await done.next()).done, true);
    client.dispose();
  });

  test(`${name}: a subscriber receives what fits its arguments`, async () => {
    const client = connect();
    const results = client.iterate({ query: 'subscription { moved(room: "a") { room x } }' });
    const first = results.next();
    const move = (room, x) => client.iterate({ query: "mutation ($room: String!, $x: Int!) { move(room: $room, x: $x) }", variables: { room, x } }).next();
    // The subscription may begin after the first moves.
    let x = 0, isOver = false;
    const moving = (async () => {
      while (!isOver) {
        await move("b", ++x);
        await move("a", x);
      }
    })();
    const { data } = (await first).value;
    isOver = true;
    await moving;
    assert.equal(data.moved.room, "a");
    await results.return();
    client.dispose();
  });

  test(`${name}: an operation that is wrong is an error`, async () => {
    const client = connect();
    const results = client.iterate({ query: "subscription { absent }" });
    const outcome = await results.next().then(({ value }) => value.errors, (errors) => errors);
    assert.match(JSON.stringify(outcome), /Cannot query field/);
    client.dispose();
  });
}
