// LiveResponse.toResponse({ port }): says on a port what follows the current state, as a line does.

import { abort } from "../errors/exceptions.js";
import { LiveResponse } from "./live_response.js";
import { statesOf } from "./states.js";
import { isPlain } from "../answer/values.js";
import { encodeRecords } from "../port/frames.js";
import { kPublish } from "../port/client_port.js";
import { subscribe } from "../observer/reactive.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  AbortSignalPrototypeGetAborted,
  EventTargetPrototypeAddEventListener,
  FunctionPrototypeCall,
  Headers,
  HeadersPrototypeDelete,
  HeadersPrototypeEntries,
  JSONParse,
  ObjectDefineProperty,
  ObjectFromEntries,
  PromisePrototypeThen,
} from "../primordials.js";

/** Sends states, their changes and the end to a port, until the signal aborts. */
class Publication {
  #port;
  /** Ends the changes of the states that are told now. */
  #observed = new AbortController();
  /** The state that the Response has. */
  #skips = true;
  /** Tells a client's port that this is over, once; another port gets a message. */
  #published;

  constructor(live, port, signal) {
    this.#port = port;
    if (signal && AbortSignalPrototypeGetAborted(signal)) return;
    this.#published = port[kPublish]?.() ?? null;
    const { body } = live;
    const stop = statesOf(live).follow(this);
    if (isPlain(body)) this.#follow(body);
    if (!signal) return;
    EventTargetPrototypeAddEventListener(signal, "abort", () => {
      stop();
      abort(this.#observed);
      if (this.#published !== null) this.done();
    }, { once: true });
  }

  frame(frame) {
    if (this.#skips) {
      this.#skips = false;
      return;
    }
    if (!frame.concurrent) {
      abort(this.#observed);
      this.#observed = new AbortController();
    }
    const headers = new Headers(frame.headers);
    // Cookies are HTTP's alone.
    HeadersPrototypeDelete(headers, "set-cookie");
    const { body = null, status, statusText, type, concurrent } = frame;
    const plain = ObjectFromEntries(HeadersPrototypeEntries(headers));
    const state = { body, status, statusText, headers: plain, type, url: null, concurrent };
    const signal = AbortControllerPrototypeGetSignal(this.#observed);
    this.#port.postMessage(state, { type: "response.replace", live: true, signal });
  }

  done() {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#published !== null) this.#published();
    else this.#port.postMessage(null, { type: "response.done" });
  }
  #isOver = false;

  failed() {
    if (this.#published !== null) this.done();
  }

  #follow(body) {
    const stop = subscribe(body, (records) => {
      this.#port.postMessage(JSONParse(encodeRecords(records, null)), { type: "initial_response.mutate" });
    });
    EventTargetPrototypeAddEventListener(AbortControllerPrototypeGetSignal(this.#observed), "abort", stop, { once: true });
  }
}

const { toResponse } = LiveResponse.prototype;

ObjectDefineProperty(LiveResponse.prototype, "toResponse", {
  __proto__: null,
  configurable: true,
  writable: true,
  /**
   * @param {{ port?: import("../port/port.js").Port, signal?: AbortSignal }} [options] `port`: where what follows is
   *   said, as on a line; `signal` ends that
   */
  value: { toResponse({ port, signal } = { __proto__: null }) {
    const respond = () => {
      if (port) new Publication(this, port, signal);
      return FunctionPrototypeCall(toResponse, this);
    };
    return statesOf(this).readyState === "waiting" ? PromisePrototypeThen(onceLive(this), respond) : respond();
  } }.toResponse,
});

function onceLive(live) {
  return FunctionPrototypeCall(LiveResponse.prototype.readyStateChange, live, "live");
}
