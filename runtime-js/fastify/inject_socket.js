// `injectWS()`: a socket from the application to itself.

import { primordials } from "ext:core/mod.js";
import { kClosed } from "ext:liveline/port/port.js";
import { setTimeout } from "ext:liveline/timers.js";

import { kAttach, kMessage, socketClass } from "ext:liveline_fastify/socket.js";
import { Transport } from "ext:liveline_fastify/transport.js";

const {
  ArrayPrototypePush,
  Error,
  ObjectEntries,
  Promise,
  SafeArrayIterator,
  String,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
} = primordials;

/** Carries messages to a socket in the same isolate, in a later turn. @implements {import("./socket.js").Carrier} */
class Neighbour {
  constructor(near) {
    this.near = near;
    this.far = null;
  }

  accept() {}

  #later(run) {
    // In a turn of its own, so that listeners are there that are added after a promise.
    setTimeout(run, 0);
  }

  text(text) {
    this.#later(() => this.far[kMessage](text));
  }

  bytes(bytes) {
    const copy = new primordials.Uint8Array(bytes).buffer;
    this.#later(() => this.far[kMessage](copy));
  }

  close(code, reason) {
    this.#later(() => {
      this.far[kClosed](code, reason, true);
      this.near[kClosed](code, reason, true);
    });
  }

  drop() {
    this.#later(() => {
      this.far[kClosed](1006, "", false);
      this.near[kClosed](1006, "", false);
    });
  }

  control(isPong, bytes) {
    const copy = new primordials.Uint8Array(bytes).buffer;
    this.#later(() => {
      this.far[kMessage]([isPong, copy]);
      // The other side answers a ping with the same bytes.
      if (!isPong) this.near[kMessage]([true, copy]);
    });
  }

  followControl() {}

  unsent() {
    return 0;
  }
}

class SocketTransport extends Transport {
  isUpgrade = true;
  isSecure = false;
  peer = "127.0.0.1";
  signal = undefined;

  constructor(url, list, opened, refused) {
    super("GET", url);
    this.list = list;
    this.opened = opened;
    this.refused = refused;
  }

  header(name) {
    for (let i = 0; i < this.list.length; i++) if (this.list[i][0] === name) return this.list[i][1];
    return undefined;
  }

  headerList() {
    return this.list;
  }

  get hasBody() {
    return false;
  }

  webRequest() {
    return new primordials.globalThis.Request(`http://localhost${this.url}`, { headers: this.list });
  }

  place() {
    return { url: new primordials.globalThis.URL(`http://localhost${this.url}`), address: this.peer };
  }

  answer(status) {
    this.done();
    this.refused(new Error(`Unexpected server response: ${status}`));
  }

  answerStream(status) {
    this.answer(status);
  }

  settleWith(response) {
    this.answer(response.status);
  }

  failed(error) {
    this.refused(error);
  }

  openSocket(socket) {
    this.hasSocket = true;
    this.done();
    const carrier = new Neighbour(socket);
    this.opened(socket, carrier);
    return carrier;
  }
}

export function injectSocket(app, path, context, { onInit, onOpen } = {}) {
  return new Promise((resolve, reject) => {
    const Socket = socketClass();
    const client = new Socket();
    if (onInit) onInit(client);
    const list = [];
    for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(context.headers ?? {}))) {
      ArrayPrototypePush(list, [StringPrototypeToLowerCase(name), String(value)]);
    }
    for (const pair of new SafeArrayIterator([["host", "localhost"], ["connection", "upgrade"], ["upgrade", "websocket"], ["sec-websocket-version", "13"]])) {
      ArrayPrototypePush(list, pair);
    }
    const url = StringPrototypeStartsWith(path, "/") ? path : `/${path}`;
    const transport = new SocketTransport(url, list, (server, carrier) => {
      const back = new Neighbour(client);
      back.far = server;
      carrier.far = client;
      client[kAttach](back, "", (error) => client.failed(error));
      primordials.queueMicrotask(() => {
        if (onOpen) onOpen(client);
        client.emit("open");
        resolve(client);
      });
    }, reject);
    app.dispatch(transport);
  });
}


