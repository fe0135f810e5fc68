// liveline:upload: the progress of a request's body, for pages that show it, in all isolates.

import { op_shared_close, op_shared_open, op_shared_put } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { nativeStream } from "../request.js";
import { latestOf } from "./shared.js";
import {
  ArrayBufferViewPrototypeGetByteLength,
  DateNow,
  HeadersPrototypeGet,
  JSONStringify,
  Number,
  ReadableStreamDefaultReaderPrototypeCancel,
  ReadableStreamDefaultReaderPrototypeRead,
  ReadableStreamPrototypeGetReader,
  Request,
  RequestPrototypeGetBody,
  RequestPrototypeGetHeaders,
  TypeError,
} from "../primordials.js";

/**
 * The progress of an upload.
 * @typedef {object} Progress
 * @property {"waiting" | "receiving" | "received" | "failed"} state
 * @property {number} received bytes
 * @property {number | null} total bytes; null if the request has no Content-Length
 */

/** The shortest time between two values, in milliseconds. Followers receive the latest. */
const PACE = 100;

/**
 * Returns the same request, with a body that is counted as it is read. {@link progressOf} returns the count by the ID.
 * @param {Request} request its body must be unread
 * @param {string} id a secret: with it anyone can read the progress of the upload
 * @returns {Request}
 */
export function track(request, id) {
  const name = nameOf(id, "track()");
  const body = RequestPrototypeGetBody(request);
  const length = HeadersPrototypeGet(RequestPrototypeGetHeaders(request), "content-length");
  const total = body === null ? 0 : length === null ? null : Number(length);
  const handle = op_shared_open(name, false);
  let received = 0;
  let putAt = DateNow();
  let isOver = false;
  const put = (state) => op_shared_put(handle, JSONStringify({ state, received, total }));
  const exchange = currentExchange();
  const failed = () => finish("failed");
  const finish = (state) => {
    if (isOver) return;
    isOver = true;
    exchange?.offEnd(failed);
    put(state);
    op_shared_close(handle);
  };
  put("receiving");
  if (body === null) {
    finish("received");
    return request;
  }
  // If the handler answers before it has read the whole body, the upload has failed.
  exchange?.onEnd(failed);
  const reader = ReadableStreamPrototypeGetReader(body);
  const read = async () => {
    try {
      const { done, value } = await ReadableStreamDefaultReaderPrototypeRead(reader);
      if (done) {
        finish("received");
        return null;
      }
      received += ArrayBufferViewPrototypeGetByteLength(value);
      const now = DateNow();
      // The second condition is true if the clock was set back.
      if (now - putAt >= PACE || now < putAt) {
        putAt = now;
        put("receiving");
      }
      return value;
    } catch (error) {
      finish("failed");
      throw error;
    }
  };
  const cancel = (reason) => {
    finish("failed");
    return ReadableStreamDefaultReaderPrototypeCancel(reader, reason);
  };
  return new Request(request, { __proto__: null, body: nativeStream(read, cancel), duplex: "half" });
}

/**
 * The progress of the upload with this ID: the current value, and each later one until it is received or has failed.
 * @param {string} id
 * @returns {AsyncGenerator<Progress>}
 */
export function progressOf(id) {
  return latestOf(nameOf(id, "progressOf()"), false, {
    initial: { state: "waiting", received: 0, total: null },
    read: (state) => ({ state, done: state.state === "received" || state.state === "failed" }),
  });
}

function nameOf(id, what) {
  if (typeof id !== "string" || id === "") throw new TypeError(`${what}: an upload's id is a text that is not empty.`);
  return `upload/${id}`;
}
