// Which handlers are called with the event alone.

import assert from "node:assert/strict";
import test from "node:test";

import { takesOnlyEvent } from "../../runtime-js/dispatch/parameters.js";

const takes = (handler) => takesOnlyEvent(handler, Function.prototype.toString.call(handler));

test("a handler that can see nothing but the event", () => {
  const { GET, POST, PUT, DELETE, stream } = {
    GET(event) {
      return event;
    },
    async POST({ request, url: address }) {
      return [request, address];
    },
    PUT() {},
    DELETE: function remove(event) {
      return event;
    },
    async *stream(event) {
      yield event;
    },
  };
  for (const handler of [GET, POST, PUT, DELETE, stream]) assert.ok(takes(handler), String(handler));
  for (const handler of [(event) => event, async (event) => event, () => 1, async function (event,) { return event; }]) {
    assert.ok(takes(handler), String(handler));
  }
  assert.ok(takes((0, eval)("event => event")));
  assert.ok(takes((0, eval)("async event=>event")));
});

test("a handler that can see more", () => {
  const handlers = [
    (event, next) => next,
    (event, next = null) => next,
    (...all) => all,
    (event, ...more) => more,
    ([first]) => first,
    (event = 1, next) => next,
    ({ url = "/" }) => url,
    function () {
      return arguments[1];
    },
    function () {
      return this;
    },
    () => eval("1"),
    Math.max,
    function (event) {
      return event;
    }.bind(null),
    new Proxy((event) => event, {}),
    Object.defineProperty((event, next) => next, "length", { value: 1 }),
    (0, eval)("(event /* and */, next) => next"),
    (0, eval)("(function () { return argument\\u0073[1]; })"),
    class {
      constructor(event) {
        return event;
      }
    },
  ];
  for (const handler of handlers) assert.ok(!takes(handler), String(handler));
});
