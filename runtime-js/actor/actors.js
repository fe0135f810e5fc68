// liveline:actors: actors of handlers that are no Workers.

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
 */
function actors(name, Class) {
  registerClass(name, Class, { isCallable: true });
  return namespace(name);
}

export const module = { __proto__: null, Actor: DurableObject, actors, RpcTarget, WebSocketRequestResponsePair };
