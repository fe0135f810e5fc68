// liveline:upload: how far a request's body has come, for pages that wait for it, in whichever isolate.

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
 * How far an upload has come.
 * @typedef {object} Progress
 * @property {"waiting" | "receiving" | "received" | "failed"} state
 * @property {number} received bytes
 * @property {number | null} total bytes, where the client says how many there are
 */

/** Milliseconds between two values, at least. Who follows gets the latest. */
const PACE = 100;

/**
 * The same request, whose body is counted as it is read. {@link progressOf} tells of it by the id.
 * @param {Request} request its body was not read
 * @param {string} id a secret: it gives access to the progress of the upload
 * @returns {Request}
 */
export function track(request, id) {
  const name = nameOf(id, "track()");
  const body = RequestPrototypeGetBody(request);
  const length = HeadersPrototypeGet(RequestPrototypeGetHeaders(request), "content-length");
  const total = body === null ? 0 : length === null ? null : Number(length);
  const handle = op_shared_open(name, false);
  let received = 0;
  let toldAt = DateNow();
  let isOver = false;
  const put = (state) => op_shared_put(handle, JSONStringify({ state, received, total }));
  const finish = (state) => {
    if (isOver) return;
    isOver = true;
    put(state);
    op_shared_close(handle);
  };
  put("receiving");
  if (body === null) {
    finish("received");
    return request;
  }
  // A handler that answers without having read it all has not received it.
  currentExchange()?.onEnd(() => finish("failed"));
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
      // Also where the clock was set back.
      if (now - toldAt >= PACE || now < toldAt) {
        toldAt = now;
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
 * How far the upload with this id has come: now, and until it has come or failed.
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
