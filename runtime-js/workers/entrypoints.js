// Entrypoints: the exports of a Worker that other code calls. `ctx.exports` has all of them, and bindings of services
// name one.

import { core } from "ext:core/mod.js";
import { op_actor_isolate } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { followRedirects } from "../fetch/redirects.js";
import {
  callMember,
  decode,
  DurableObject,
  encode,
  hasClass,
  namespace,
  setExports,
  stubOf,
  WorkerEntrypoint,
} from "./actors.js";
import { ExecutionContext, Tasks } from "./context.js";
import { environmentOf } from "./environment.js";
import {
  Error,
  ObjectDefineProperty,
  ObjectKeys,
  Proxy,
  Request,
  SafeArrayIterator,
  StringPrototypeStartsWith,
  TypeError,
  ArrayPrototypeMap,
} from "../primordials.js";

/** The exports of the Worker's module. */
let module = {};
/** `ctx.exports`, made when it is first read. */
let made = null;
setExports(() => entrypoints());

export function setEntrypoints(namespace) {
  module = namespace;
  made = null;
}

const isClass = (value, Base) => typeof value === "function" && value.prototype instanceof Base;
export const isEntrypoint = (value) => isClass(value, WorkerEntrypoint);
export const isActorClass = (value) => isClass(value, DurableObject);

/** `ctx.exports`: a stub for each entrypoint, and a namespace for each class of actors. */
export function entrypoints() {
  if (made !== null) return made;
  made = {};
  for (const name of new SafeArrayIterator(ObjectKeys(module))) {
    const value = module[name];
    const make = isActorClass(value) || (typeof value === "function" && hasClass(name))
      ? () => namespace(name)
      : isEntrypoint(value) || typeof value?.fetch === "function"
      ? () => EntrypointStub.to(name, undefined)
      : null;
    if (make === null) continue;
    ObjectDefineProperty(made, name, { __proto__: null, configurable: true, enumerable: true, get: make });
  }
  return made;
}

/** A stub for an entrypoint of this Worker. Each call has an instance of its own. */
export class EntrypointStub {
  /** @param {string | null} name of the export; null for the default one */
  static to(name, props) {
    const stub = stubOf({ send: (path, args) => call(name, props, path, args) }, {
      __proto__: null,
      fetch: async (target, init) => {
        return await followRedirects(new Request(toUrl(target), init), (request) => fetchOf(name, props, request));
      },
      connect() {
        throw new Error("connect() of services is not available: use connect() of `cloudflare:sockets`.");
      },
    });
    // `ctx.exports.NAME({ props })` is the same entrypoint with other properties.
    return new Proxy(function () {}, {
      __proto__: null,
      get: (_, key) => stub[key],
      has: (_, key) => key in stub,
      set() {
        throw new TypeError("The stub of a service has no properties of its own.");
      },
      apply: (_, _receiver, args) => EntrypointStub.to(name, args[0]?.props ?? props),
    });
  }

  /** An instance of an entrypoint's class, for a request or an event. */
  static instance(Class, keeper, props) {
    return new Class(new ExecutionContext(keeper, props), environmentOf());
  }
}

/** What a Request is made of: a path counts from any host. */
function toUrl(target) {
  return typeof target === "string" && StringPrototypeStartsWith(target, "/") ? `http://localhost${target}` : target;
}

function entrypoint(name) {
  const value = module[name ?? "default"];
  if (value === undefined) throw new TypeError(`The Worker has no export called ${name ?? "default"}.`);
  return value;
}

const keeperOf = () => currentExchange() ?? new Tasks();

async function fetchOf(name, props, sent) {
  // Its own fetch(request) does not follow redirects, unless it asks for that.
  const request = new Request(sent, { redirect: "manual" });
  const value = entrypoint(name);
  if (isEntrypoint(value)) return await EntrypointStub.instance(value, keeperOf(), props).fetch(request);
  if (typeof value.fetch !== "function") throw new TypeError(`The entrypoint ${name ?? "default"} has no fetch().`);
  return await value.fetch(request, environmentOf(), new ExecutionContext(keeperOf(), props));
}

async function call(name, props, path, args) {
  const value = entrypoint(name);
  if (!isEntrypoint(value)) {
    throw new TypeError(`The entrypoint ${name ?? "default"} is no WorkerEntrypoint, so it has no method ${path[0]}().`);
  }
  const instance = EntrypointStub.instance(value, keeperOf(), props);
  const copies = args === null ? null : ArrayPrototypeMap(args, copyOf);
  return copyOf(await callMember(instance, path, copies, true));
}

/** Values pass as they do in calls of actors, although both sides are in this isolate: see `actor/values.js`. */
function copyOf(value) {
  const { 0: data, 1: references } = encode(value);
  const copy = data === null || typeof data !== "object"
    ? data
    : core.loadExtScript("ext:deno_web/02_structured_clone.js").structuredClone(data);
  return decode(op_actor_isolate(), [copy, references]);
}
