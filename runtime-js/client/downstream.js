// The answer of a service worker's handler to the page, and the messages that follow it over a channel.

import { responseOf } from "../answer/values.js";
import { encodeRecords } from "../port/frames.js";
import { kRelay, LineLostError } from "../port/port.js";
import { RemotePort } from "../port/remote_port.js";
import { relay } from "../port/relay.js";
import { subscribe } from "../observer/reactive.js";
import { openChannel } from "./channel.js";

/** How long the worker waits for the page to join, in milliseconds. */
const JOIN_PATIENCE_MS = 30_000;

/** Follows a LiveResponse on behalf of one request of the page. */
export class Downstream {
  /** The page's answer. @type {Promise<Response>} */
  answer;
  /** Settles when nothing more will be sent. @type {Promise<void>} */
  over;
  #resolve;
  #reject;
  #finish;
  #report;
  #name = crypto.randomUUID();
  #port = null;
  #state = null;
  #isAnswered = false;
  #isDone = false;
  /** The number of lines that states come from, which may carry messages after the last state. */
  #upstreams = 0;
  #count = 0;
  /** Functions that end the observation of bodies that may still change. */
  #observed = [];
  #stopRelay = () => {};

  /** @param {(error: unknown) => void} report */
  constructor(report) {
    this.#report = report;
    this.answer = new Promise((resolve, reject) => [this.#resolve, this.#reject] = [resolve, reject]);
    this.over = new Promise((resolve) => this.#finish = resolve);
  }

  /**
   * The handler's `event.client`. It may send messages before there is a state, so the page has to join the channel.
   */
  openClient() {
    const port = this.#open();
    setTimeout(() => this.#answerEarly());
    return port;
  }

  // -- as a sink of a LiveResponse ---------------------------------------------------------------------------------

  frame(frame) {
    this.#state = frame;
    // One turn later it is known whether this state is the last.
    if (!this.#isAnswered) return void setTimeout(() => this.#answerState());
    const { body, status, statusText, headers, type, url, concurrent } = frame;
    this.#count += 1;
    const eventID = `response.replace-${this.#count}`;
    const state = { body: body ?? null, status, statusText, headers: Object.fromEntries(headers), type, url, concurrent };
    this.#open().postMessage(state, { type: "response.replace", eventID });
    if (!concurrent) this.#forgetBodies();
    this.#observe(body, eventID, "body");
  }

  done() {
    this.#isDone = true;
    if (this.#isAnswered) this.#sendDone();
    else setTimeout(() => this.#answerState());
  }

  /** Sends the end of the response. */
  #sendDone() {
    this.#port?.postMessage(null, { type: "response.done" });
    if (this.#upstreams === 0) this.#end();
  }

  failed(error) {
    if (this.#isAnswered) this.#report(error);
    else this.#reject(error);
    this.#isAnswered = true;
    if (error instanceof LineLostError) this.#end(4003, "the upstream was lost");
    else this.#end(4002, "the handler failed");
  }

  connected(upstream) {
    const port = this.#open();
    const client = {
      [kRelay]: (callback) => port[kRelay](callback),
      postMessage: (...message) => {
        this.#answerEarly();
        port.postMessage(...message);
      },
      postRequest: (...request) => {
        this.#answerEarly();
        return port.postRequest(...request);
      },
    };
    this.#stopRelay = relay(client, upstream, this.#report);
    this.#upstreams += 1;
    upstream.readyStateChange("close").then(() => {
      this.#upstreams -= 1;
      if (this.#isDone && this.#isAnswered && this.#upstreams === 0) this.#end();
    });
  }

  disconnected() {
    this.#stopRelay();
  }

  // -- to the page -------------------------------------------------------------------------------------------------

  #open() {
    if (this.#port !== null) return this.#port;
    const port = this.#port = new RemotePort((receiver) => openChannel(this.#name, receiver));
    const patience = setTimeout(() => port.close(1001, "nobody joined"), JOIN_PATIENCE_MS);
    port.readyStateChange("open").then(() => clearTimeout(patience));
    port.readyStateChange("close").then(() => this.#finish());
    return port;
  }

  #answerEarly() {
    if (this.#isAnswered) return;
    // An available state becomes the answer, because no page follows states yet.
    if (this.#state !== null) this.#answerState();
    else this.#respond(null, { status: 202, statusText: "Accepted", headers: {} });
  }

  #answerState() {
    if (this.#isAnswered) return;
    if (!this.#isDone) this.#open();
    const { body, status, statusText, headers } = this.#state ?? { status: 200 };
    this.#respond(body, { status, statusText, headers });
    this.#observe(body, "initial_response", null);
    if (this.#isDone) this.#sendDone();
  }

  #respond(body, head) {
    this.#isAnswered = true;
    const response = responseOf(body, head);
    if (this.#port !== null) response.headers.set("X-Live-Session", `channel://${this.#name}`);
    this.#resolve(response);
  }

  #observe(body, source, prefix) {
    if (body === null || typeof body !== "object" || this.#port === null) return;
    this.#observed.push(subscribe(body, (records) => {
      this.#port.postMessage(JSON.parse(encodeRecords(records, prefix)), { type: `${source}.mutate` });
    }));
  }

  #forgetBodies() {
    for (const unsubscribe of this.#observed.splice(0)) unsubscribe();
  }

  #end(code = 1000, reason = "done") {
    this.#forgetBodies();
    const port = this.#port;
    if (port === null) return this.#finish();
    // Messages that wait for the page to join must not be lost.
    port.readyStateChange("open").then(() => port.close(code, reason));
  }
}
