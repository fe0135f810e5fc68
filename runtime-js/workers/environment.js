// `env`: the bindings of a Worker.

import { op_environment_set } from "ext:core/ops";
import { namespace } from "./actors.js";
import { AssetsBinding } from "./assets.js";
import { D1Database } from "./d1.js";
import { KVNamespace } from "./kv.js";
import { QueueProducer } from "./queue.js";
import { EntrypointStub } from "./entrypoints.js";
import {
  ArrayPrototypePush,
  Error,
  JSONStringify,
  ObjectDefineProperty,
  ObjectKeys,
  Proxy,
  SafeArrayIterator,
} from "../primordials.js";

/** The object that handlers get; the same for all of an isolate. */
const env = {};

export function environmentOf() {
  return env;
}

/** How a binding is made, by its kind. @type {Record<string, (it: object) => unknown>} */
const KINDS = {
  __proto__: null,
  actor: (it) => namespace(it.class),
  kv: (it) => new KVNamespace(it.id),
  d1: (it) => new D1Database(it.id),
  queue: (it) => new QueueProducer(it.queue, it.delay),
  service: (it) => EntrypointStub.to(it.entrypoint, it.props),
  assets: () => new AssetsBinding(),
  var: (it) => it.value,
  version: () => ({ id: "00000000-0000-4000-8000-000000000000", tag: "", timestamp: "" }),
  absent,
};

/** Adds a binding to `env`. It is made when it is first read. */
export function binding(it) {
  if (it.kind === "var") {
    ObjectDefineProperty(env, it.name, { __proto__: null, configurable: true, enumerable: true, value: it.value, writable: true });
    // Code that Cloudflare runs with nodejs_compat finds its variables in process.env, too.
    const text = typeof it.value === "string" ? it.value : JSONStringify(it.value);
    op_environment_set(it.name, text);
    return;
  }
  ObjectDefineProperty(env, it.name, {
    __proto__: null,
    configurable: true,
    enumerable: true,
    get() {
      const value = KINDS[it.kind](it);
      ObjectDefineProperty(env, it.name, { __proto__: null, configurable: true, enumerable: true, value, writable: true });
      return value;
    },
  });
}

/** Stands for a binding that this host does not have. Whatever is done with it throws. */
function absent({ name, what, reason, place }) {
  const refuse = () => {
    throw new Error(`env.${name} (${place}) is not available, because of its kind (${what}): ${reason}.`);
  };
  return new Proxy(function () {}, {
    __proto__: null,
    apply: refuse,
    construct: refuse,
    get(_, key) {
      // What consoles, promises and JSON look for.
      if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
      return refuse();
    },
    set: refuse,
  });
}

/** The names of classes that bindings and migrations name. */
export function classesOf(settings) {
  const names = [];
  for (const it of new SafeArrayIterator(settings.bindings ?? [])) {
    if (it.kind === "actor") ArrayPrototypePush(names, it.class);
  }
  for (const name of new SafeArrayIterator(ObjectKeys(settings.classes ?? {}))) ArrayPrototypePush(names, name);
  return names;
}
