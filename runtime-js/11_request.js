// The Request of an exchange. Nothing is copied from the host until a handler reads it.

import { core } from "ext:core/mod.js";
import { op_request_has_body, op_request_headers, op_request_read, op_request_url } from "ext:core/ops";

/**
 * @param {import("./10_exchange.js").Exchange} exchange
 * @returns {Request}
 */
export function requestOf(exchange) {
  const { fromInnerRequest, newInnerRequest } = core.loadExtScript("ext:deno_fetch/23_request.js");
  const { id, method } = exchange;
  const body = op_request_has_body(id) ? bodyOf(id) : null;
  const inner = newInnerRequest(method, () => op_request_url(id), () => pairs(op_request_headers(id)), body, false);
  return fromInnerRequest(inner, "immutable");
}

function bodyOf(id) {
  const { InnerBody } = core.loadExtScript("ext:deno_fetch/22_body.js");
  return new InnerBody(
    new ReadableStream({
      type: "bytes",
      async pull(controller) {
        const chunk = await op_request_read(id);
        if (chunk === null) {
          controller.close();
          controller.byobRequest?.respond(0);
        } else {
          controller.enqueue(chunk);
        }
      },
    }),
  );
}

/** Turns `[name, value, name, value]` into `[[name, value], [name, value]]`. */
export function pairs(flat) {
  const list = [];
  for (let i = 0; i < flat.length; i += 2) list.push([flat[i], flat[i + 1]]);
  return list;
}
