// GraphQL over WebSockets: the protocol graphql-transport-ws.

import { op_log_error, op_request_header } from "ext:core/ops";
import { clearTimeout, setTimeout } from "ext:liveline/timers.js";
import { acceptPaired, closePaired, sendPaired } from "ext:liveline/websocket/pair.js";
import {
  EventTargetPrototypeAddEventListener,
  JSONParse,
  JSONStringify,
  PromisePrototypeCatch,
  Response,
  SafeMap,
  StringPrototypeIncludes,
  SymbolAsyncIterator,
} from "ext:liveline/primordials.js";
import { library } from "ext:liveline_aiwebengine/graphql_registry.js";
import { contextOf } from "ext:liveline_aiwebengine/request.js";
import { socketAnswer } from "ext:liveline_aiwebengine/sockets.js";

const PROTOCOL = "graphql-transport-ws";
/** How long a client may take until it initialises the connection, in milliseconds. */
const INIT_TIMEOUT = 3000;
/** Between two pings, in milliseconds. */
const PING_EVERY = 30_000;
/** How many subscriptions a connection may have. */
const MAX_SUBSCRIPTIONS = 20;

export function answerGraphQLSocket(exchange) {
  const offered = op_request_header(exchange.id, "sec-websocket-protocol") ?? "";
  if (!StringPrototypeIncludes(offered, PROTOCOL)) {
    return new Response(`A client of GraphQL offers the protocol ${PROTOCOL}.\n`, { status: 400 });
  }
  const { server, response } = socketAnswer({ "sec-websocket-protocol": PROTOCOL });
  const connection = new Connection(server, contextOf(exchange, undefined, "graphql"));
  acceptPaired(server);
  connection.listen();
  return response;
}

class Connection {
  #socket;
  #context;
  #isInitialised = false;
  #isOver = false;
  /** Results by the client's ids; null while a subscription begins. */
  #running = new SafeMap();
  #timer;

  constructor(socket, context) {
    this.#socket = socket;
    this.#context = context;
  }

  listen() {
    this.#timer = setTimeout(() => this.#close(4408, "Connection initialisation timeout"), INIT_TIMEOUT);
    EventTargetPrototypeAddEventListener(this.#socket, "message", ({ data }) => this.#receive(data));
    EventTargetPrototypeAddEventListener(this.#socket, "close", () => this.#end());
  }

  #send(message) {
    if (!this.#isOver) sendPaired(this.#socket, JSONStringify(message));
  }

  #close(code, reason) {
    if (this.#isOver) return;
    this.#end();
    closePaired(this.#socket, code, reason);
  }

  #end() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    for (const results of this.#running.values()) stop(results);
    this.#running.clear();
  }

  #receive(text) {
    let message;
    try {
      message = JSONParse(text);
    } catch {
      return this.#close(4400, "Invalid message received");
    }
    switch (message?.type) {
      case "connection_init":
        if (this.#isInitialised) return this.#close(4429, "Too many initialisation requests");
        this.#isInitialised = true;
        clearTimeout(this.#timer);
        this.#context.metadata = { connectionParams: message.payload ?? {} };
        this.#send({ type: "connection_ack" });
        return this.#ping();
      case "ping":
        return this.#send({ type: "pong", payload: message.payload });
      case "pong":
        return undefined;
      case "subscribe":
        if (!this.#isInitialised) return this.#close(4401, "Unauthorized");
        if (typeof message.id !== "string" || message.id === "" || message.payload === null || typeof message.payload !== "object") {
          return this.#close(4400, "Invalid message received");
        }
        if (this.#running.has(message.id)) return this.#close(4409, `Subscriber for ${message.id} already exists`);
        return this.#begin(message.id, message.payload);
      case "complete": {
        const results = this.#running.get(message.id);
        this.#running.delete(message.id);
        return stop(results);
      }
      default:
        return this.#close(4400, "Invalid message received");
    }
  }

  #ping() {
    this.#timer = setTimeout(() => {
      this.#send({ type: "ping" });
      this.#ping();
    }, PING_EVERY);
  }

  #begin(id, payload) {
    if (this.#running.size >= MAX_SUBSCRIPTIONS) {
      return this.#send({ id, type: "error", payload: [{ message: `A connection has at most ${MAX_SUBSCRIPTIONS} subscriptions.` }] });
    }
    this.#running.set(id, null);
    PromisePrototypeCatch(this.#run(id, payload), (error) => {
      op_log_error("an operation of GraphQL", error);
      this.#fail(id, [{ message: "The operation failed." }]);
    });
  }

  #fail(id, errors) {
    if (!this.#running.delete(id)) return;
    this.#send({ id, type: "error", payload: errors });
  }

  async #run(id, payload) {
    const prepared = library().prepare(payload);
    if (prepared.errors !== undefined) return this.#fail(id, prepared.errors);
    const { document, kind } = prepared;
    if (kind !== "subscription") {
      const result = await library().execute(document, payload, this.#context);
      if (this.#running.has(id)) this.#send({ id, type: "next", payload: result });
      return this.#complete(id);
    }
    const results = await library().subscribe(document, payload, this.#context);
    if (typeof results[SymbolAsyncIterator] !== "function") return this.#fail(id, library().shownResult(results).errors);
    // It was completed, or its connection closed, meanwhile.
    if (!this.#running.has(id)) return stop(results);
    this.#running.set(id, results);
    while (true) {
      const { value, done } = await results.next();
      if (this.#running.get(id) !== results) return stop(results);
      if (done) return this.#complete(id);
      this.#send({ id, type: "next", payload: library().shownResult(value) });
    }
  }

  #complete(id) {
    if (this.#running.delete(id)) this.#send({ id, type: "complete" });
  }
}

function stop(results) {
  if (results !== null && results !== undefined) PromisePrototypeCatch(results.return(), () => {});
}
