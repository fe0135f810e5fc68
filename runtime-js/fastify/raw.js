// Node's objects of a request, for plugins that want them. They are made when one is first read.

import { connect } from "ext:liveline_node/mount.js";
import { primordials } from "ext:core/mod.js";

const { Promise, PromisePrototypeThen } = primordials;

/** Applications answer at their root. */
const ROOT = { pathname: "/" };

/**
 * Node's request and response of a transport.
 * @returns {{ req: import("node:http").IncomingMessage, res: import("node:http").ServerResponse }}
 */
export function rawOf(transport) {
  if (transport.raw !== null) return transport.raw;
  const answered = new Promise((resolve, reject) => {
    const exchange = { get ended() { return transport.isOver; }, onEnd: (listener) => transport.onEnd(listener) };
    const { req, res } = connect(transport.webRequest(), transport.place(), ROOT, exchange, resolve, reject);
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
