// The static layer: what answers past the last step of a route. A file that no handler reads or changes never
// enters JavaScript.

import { op_file_open, op_file_read } from "ext:core/ops";
import { nativeStream, readHeaders } from "./request.js";
import { Response, SafeWeakMap } from "./primordials.js";

/** Native files of Responses made here, by Response: `{ exchange, file }`. */
const files = new SafeWeakMap();

/**
 * The answer of `public/` to `target`, a path that may come with a query: the file, 301 to a folder with its slash, 304,
 * 206, 412, 416 or 404. The request's query, conditions and ranges are for its own path; a re-route has a query of its
 * own and asks for the whole.
 * @returns {Promise<Response>}
 */
export async function staticResponse(exchange, target, method, rerouted) {
  const { status, headers, file } = await op_file_open(exchange.id, target, method, rerouted);
  const bodiless = status === 204 || status === 304;
  const body = bodiless ? null : nativeStream(() => op_file_read(exchange.id, file));
  const response = new Response(body, { status, headers: readHeaders(headers) });
  files.set(response, { exchange, file });
  return response;
}

/** The number of the native file that would be `response`'s body in this exchange, unless it was read or changed. */
export function fileOf(response, exchange) {
  const native = files.get(response);
  return native?.exchange === exchange ? native.file : undefined;
}
