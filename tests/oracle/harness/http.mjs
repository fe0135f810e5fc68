// Requests over HTTP/1.1 and what is recorded of their answers.

import http from "node:http";
import { Queue } from "./queue.mjs";
import { within } from "./patience.mjs";

/** Sends a request; resolves when the head of the answer is here. */
export function open(origin, method, path, { headers = {}, body, chunked = false } = {}) {
  const url = new URL(origin);
  // `URL` would take `..` and the like away; the path goes as the script has it.
  const options = { host: url.hostname, port: url.port, path, method, headers: { ...headers }, agent: false };
  let bytes = body;
  if (body !== undefined && typeof body !== "string" && !ArrayBuffer.isView(body)) {
    bytes = JSON.stringify(body);
    if (!Object.keys(options.headers).some((name) => name.toLowerCase() === "content-type")) {
      options.headers["content-type"] = "application/json";
    }
  }
  const answer = new Promise((resolve, reject) => {
    const request = http.request(options, resolve);
    request.on("error", reject);
    if (bytes !== undefined && !chunked) request.setHeader("content-length", Buffer.byteLength(bytes));
    request.end(bytes);
  });
  return within(answer, `the answer to ${method} ${path}`);
}

/** Reads an answer to its end. */
export async function read(response, what) {
  const chunks = [];
  response.on("data", (chunk) => chunks.push(chunk));
  const end = new Promise((resolve, reject) => {
    response.on("end", resolve);
    response.on("error", reject);
  });
  await within(end, `the end of ${what}`);
  return Buffer.concat(chunks);
}

/** The headers that are recorded: those named, and every `x-` header. `isExact`: their letters count. */
export function chosen(headers, { names, isExact }) {
  const found = {};
  // `text/html; charset=utf-8` and `text/html;charset=UTF-8` mean the same.
  const type = (value) => (isExact ? value : value.replace(/;\s*charset=/i, ";charset=").replace(/utf-8/i, "UTF-8"));
  for (const [name, value] of Object.entries(headers)) {
    // How a tag is made is each host's own.
    const isTag = name === "etag" && /^(?:W\/)?"[^"]{8,}"$/.test(value);
    if (!names.includes(name) && !name.startsWith("x-")) continue;
    found[name] = name === "content-type" ? type(value) : isTag ? "<etag>" : value;
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A body as it stands in a transcript: a JSON value, text, or bytes in base64. */
export function recordedBody(bytes, type = "") {
  if (bytes.length === 0) return "";
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: bytes.toString("base64") };
  }
  if (/\bjson\b/.test(type)) {
    try {
      return { json: JSON.parse(text) };
    } catch {
      return text;
    }
  }
  return text;
}

/** An answer whose body is read piece by piece. */
export class Stream {
  #response;
  #pieces = new Queue();
  #text = "";
  #record;
  #has_ended = false;

  constructor(response, record) {
    this.#response = response;
    this.#record = record;
    response.on("data", (chunk) => this.#pieces.push(chunk));
    response.on("end", () => this.#pieces.push(null));
    response.on("error", () => this.#pieces.push(null));
    response.on("close", () => this.#pieces.push(null));
    this.status = response.statusCode;
    this.headers = response.headers;
  }

  /** Records and returns the text up to and with `mark`; null at the end of the body. How it was cut is not recorded. */
  async next(mark = "\n\n") {
    for (;;) {
      const at = this.#text.indexOf(mark);
      if (at >= 0) {
        const piece = this.#text.slice(0, at + mark.length);
        this.#text = this.#text.slice(at + mark.length);
        this.#record({ received: piece });
        return piece;
      }
      if (this.#has_ended) {
        this.#record({ ended: this.#text, complete: this.#response.complete });
        return null;
      }
      const piece = await this.#pieces.take("a piece of the body");
      if (piece === null) this.#has_ended = true;
      else this.#text += piece.toString("utf8");
    }
  }

  /** Closes the connection while the body is under way. */
  abort() {
    this.#record({ aborted: true });
    this.#response.destroy();
  }
}
