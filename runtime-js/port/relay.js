// Passes on the live response of another server: messages that come on either line are sent on the other.

import { abort } from "../errors/exceptions.js";
import { kRelay } from "./port.js";
import {
  AbortController,
  AbortControllerPrototypeGetSignal,
  EventPrototypeGetType,
  EventTargetPrototypeAddEventListener,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  SafeArrayIterator,
} from "../primordials.js";

/**
 * Connects the line to the client with the line to the upstream. States and deltas are not relayed here but go through
 * the response. A listener that prevents a message's default, or stops its propagation, keeps it from being relayed.
 * @param {Pick<import("./port.js").Port, typeof kRelay>} client
 * @param {import("./remote_port.js").RemotePort} upstream
 * @param {(error: unknown) => void} report called with errors of messages that cannot be relayed
 * @returns {() => void} a function that ends the relaying
 */
export function relay(client, upstream, report) {
  const over = new AbortController();
  EventTargetPrototypeAddEventListener(upstream, "close", () => abort(over), { once: true });
  const connect = (from, to) => from[kRelay]((event, live) => {
    try {
      pass(event, to, { type: EventPrototypeGetType(event), live, signal: AbortControllerPrototypeGetSignal(over) }, fail);
    } catch (error) {
      fail(error);
    }
  });
  const fail = (error) => {
    // Requests that were aborted, or whose line has closed, have no answer to relay.
    if (error?.name !== "AbortError" && error?.name !== "InvalidStateError") report(error);
  };
  const stops = [connect(upstream, client), connect(client, upstream)];
  return () => {
    abort(over);
    for (const stop of new SafeArrayIterator(stops)) stop();
  };
}

function pass({ data, ports }, to, options, fail) {
  if (ports.length === 0) return to.postMessage(data, options);
  const asked = to.postRequest(data, options);
  PromisePrototypeCatch(PromisePrototypeThen(asked, (answer) => ports[0].postMessage(answer.data)), fail);
}
