// A client's WebSocket: the script reads its frames one by one, and each is recorded when it is read.

import { Queue } from "./queue.mjs";
import { within } from "./patience.mjs";
import { chosen, read, recordedBody } from "./http.mjs";

/** Opens a socket. The result has `status` 101, or that of the refusal. */
export async function openSocket(WebSocket, url, { headers, protocols = [], ...options }, record, kept) {
  const client = new WebSocket(url, protocols, { headers, perMessageDeflate: false, ...options });
  const socket = new Socket(client, record);
  const refusal = await within(
    new Promise((resolve, reject) => {
      client.on("open", () => resolve());
      client.on("unexpected-response", (_, response) => resolve(response));
      client.on("error", reject);
    }),
    `the answer to the WebSocket handshake of ${url}`,
  );
  if (refusal) {
    const body = recordedBody(await read(refusal, "the refusal"), refusal.headers["content-type"]);
    socket.status = refusal.statusCode;
    record({ answer: { status: refusal.statusCode, headers: chosen(refusal.headers, kept), body } });
    socket.body = body;
  } else {
    record({ answer: { status: 101, protocol: client.protocol } });
  }
  return socket;
}

class Socket {
  status = 101;
  #client;
  #record;
  #arrived = new Queue();
  #pongs = new Queue();

  constructor(client, record) {
    this.#client = client;
    this.#record = record;
    client.on("message", (data, isBinary) => {
      this.#arrived.push(isBinary ? { binary: data.toString("base64") } : { text: data.toString("utf8") });
    });
    // Those of a host's own watch over its connections are empty.
    client.on("ping", (data) => data.length > 0 && this.#arrived.push({ ping: data.toString("utf8") }));
    client.on("pong", (data) => this.#pongs.push(data.toString("utf8")));
    client.on("close", (code, reason) => {
      this.#arrived.push({ closed: { code, reason: reason.toString("utf8") } });
    });
    // Handled by whoever waits: an error is followed by `close`.
    client.on("error", () => {});
  }

  get protocol() {
    return this.#client.protocol;
  }

  /** Sends text (a string), a binary message (bytes), or anything else as JSON. */
  send(message) {
    const isBinary = ArrayBuffer.isView(message);
    const data = typeof message === "string" || isBinary ? message : JSON.stringify(message);
    this.#client.send(data, { binary: isBinary });
  }

  ping(data = "") {
    this.#client.ping(data);
  }

  /** Records the next answer to a ping. */
  async pong() {
    this.#record({ pong: await this.#pongs.take("a pong") });
  }

  /** Records the next message and returns it: text as a string, bytes as a Buffer; null if the socket closed instead. */
  async next() {
    const arrived = await this.#arrived.take("a frame");
    this.#record(arrived.text === undefined ? arrived : { received: asJson(arrived.text) });
    if (arrived.closed) return null;
    return arrived.text ?? (arrived.binary === undefined ? arrived : Buffer.from(arrived.binary, "base64"));
  }

  /** The same without a record, for messages that are large. */
  async unrecorded() {
    const arrived = await this.#arrived.take("a frame");
    return arrived.text ?? arrived;
  }

  /** Reads and records everything up to the close; returns its code and reason. */
  async closed() {
    for (;;) {
      const arrived = await this.#arrived.take("the close of the socket");
      this.#record(arrived.text === undefined ? arrived : { received: asJson(arrived.text) });
      if (arrived.closed) return arrived.closed;
    }
  }

  /** Sends a close frame; without arguments one without a code. */
  close(code, reason) {
    this.#client.close(code, reason);
  }

  /** Ends the TCP connection without a close frame. */
  drop() {
    this.#client.terminate();
  }
}

/** JSON objects are recorded as values, so that a difference names the field. */
function asJson(text) {
  if (!/^[[{]/.test(text)) return text;
  try {
    return { json: JSON.parse(text) };
  } catch {
    return text;
  }
}
