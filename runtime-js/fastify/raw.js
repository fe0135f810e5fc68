// Node's objects of a request, for plugins that want them. They are made when one is first read.

import { connect } from "ext:liveline_node/mount.js";
import { primordials } from "ext:core/mod.js";

const { globalThis, Promise, PromisePrototypeThen } = primordials;

/** Applications answer at their root. */
const ROOT = { pathname: "/" };

/** The web's request; of its method and its address alone, where its client has left. */
function requestOf(transport) {
  try {
    return transport.webRequest();
  } catch (error) {
    if (!transport.isOver) throw error;
    return new globalThis.Request(new globalThis.URL(transport.url, "http://localhost"), { method: transport.method });
  }
}

/**
 * Node's request and response of a transport.
 * @returns {{ req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse }}
 */
export function rawOf(transport) {
  if (transport.raw !== null) return transport.raw;
  const answered = new Promise((resolve, reject) => {
    const exchange = { get ended() { return transport.isOver; }, onEnd: (listener) => transport.onEnd(listener) };
    const { req, res } = connect(requestOf(transport), transport.place(), ROOT, exchange, resolve, reject);
    transport.raw = { req, res };
    if (transport.isOver) {
      req.destroy();
      res.destroy();
    }
  });
  // The response that was written on Node's object is the answer.
  PromisePrototypeThen(answered, (response) => transport.settleWith(response), (error) => transport.failed(error));
  return transport.raw;
}
