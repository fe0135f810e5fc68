// The modules that Workers import of the platform: `cloudflare:workers`, `cloudflare:email`, `cloudflare:sockets` and
// `cloudflare:workflows`. The host's module loader has a line for each, which reads what is defined here.

import { core } from "ext:core/mod.js";
import { define } from "../globals.js";
import { waitUntil } from "./context.js";
import { entrypoints } from "./entrypoints.js";
import { environmentOf } from "./environment.js";
import { connect } from "./sockets.js";
import { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, WorkerEntrypoint } from "./actors.js";
import { Error, ObjectFreeze, Proxy, ReflectGetOwnPropertyDescriptor, ReflectOwnKeys, SafeArrayIterator, String, SymbolFor } from "../primordials.js";

/** What `withEnv()` and `withExports()` set for the code that they run, in its async context. */
const currentEnv = () => core.getAsyncContext()?.workersEnv ?? environmentOf();
const currentExports = () => core.getAsyncContext()?.workersExports ?? entrypoints();

/**
 * An object that a module imports once, and that has the properties that `current()` has then.
 * @param {object} target what it is outside of `withEnv()` and the like: what is not read or set is done to that
 */
function importable(target, current) {
  return new Proxy(target, {
    __proto__: null,
    get: (_, key) => current()[key],
    set(_, key, value) {
      current()[key] = value;
      return true;
    },
    has: (_, key) => key in current(),
    ownKeys: () => ReflectOwnKeys(current()),
    getOwnPropertyDescriptor(target, key) {
      const known = ReflectGetOwnPropertyDescriptor(current(), key);
      if (known === undefined || current() === target) return known;
      // What the target does not have has to be configurable.
      return { __proto__: null, ...known, configurable: true };
    },
  });
}

/** Runs `callback` with other properties of its async context. */
function inContext(properties, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext({ __proto__: null, ...outer, ...properties });
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}

/** The class of stubs of services, for libraries that ask. */
class ServiceStub {}

/** Workflows are not run here: the use of their binding throws. Their classes can be defined. */
class WorkflowEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** What spans of `tracing` are here: nothing is recorded. */
const SPAN = ObjectFreeze({ __proto__: null, isTraced: false, setAttribute() {}, end() {} });

class EmailMessage {
  #from;
  #to;

  constructor(from, to, raw) {
    this.#from = String(from);
    this.#to = String(to);
    this.raw = raw;
  }

  get from() {
    return this.#from;
  }

  get to() {
    return this.#to;
  }
}

class NonRetryableError extends Error {
  constructor(message, name = "NonRetryableError") {
    super(message);
    this.name = name;
  }
}

define(SymbolFor("liveline:workers"), {
  DurableObject,
  WorkerEntrypoint,
  WorkflowEntrypoint,
  RpcPromise,
  RpcProperty,
  RpcStub,
  RpcTarget,
  ServiceStub,
  waitUntil,
  env: importable(environmentOf(), currentEnv),
  exports: importable({}, currentExports),
  withEnv: (env, callback) => inContext({ workersEnv: env }, callback),
  withExports: (exports, callback) => inContext({ workersExports: exports }, callback),
  withEnvAndExports: (env, exports, callback) => inContext({ workersEnv: env, workersExports: exports }, callback),
  tracing: { enterSpan: (_name, callback, ...args) => callback(SPAN, ...new SafeArrayIterator(args)) },
});
define(SymbolFor("liveline:workers-email"), { EmailMessage });
define(SymbolFor("liveline:workers-sockets"), { connect });
define(SymbolFor("liveline:workers-workflows"), { NonRetryableError });
