// liveline:actors: actors of handlers that are no Workers.

import { checkOptions } from "../errors/options.js";
import { DurableObject, registerClass, RpcTarget } from "./classes.js";
import { namespace } from "./namespace.js";
import { WebSocketRequestResponsePair } from "./state.js";
import "./facets.js";
import "./instance.js";
import "./storage.js";

/**
 * Registers a class of actors, and returns its namespace.
 * @param {string} name the same in all isolates and after every restart: the actors' files are stored under it
 * @param {Function} Class
 * @param {{ maxSockets?: number, messageRate?: number }} [options] how many sockets an actor may have, and how many
 *   messages a second each may send
 */
function actors(name, Class, options = undefined) {
  checkOptions("actors()", options, ["maxSockets", "messageRate"]);
  const { maxSockets, messageRate } = options ?? { __proto__: null };
  registerClass(name, Class, { isCallable: true, maxSockets, messageRate });
  return namespace(name);
}

export const module = { __proto__: null, Actor: DurableObject, actors, RpcTarget, WebSocketRequestResponsePair };
