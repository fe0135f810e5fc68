// `import.meta.env`: the environment variables of handlers. `process.env` of Node's half has the same.

import {
  op_environment,
  op_environment_delete,
  op_environment_get,
  op_environment_set,
} from "ext:core/ops";
import { ObjectKeys, Proxy, String } from "./primordials.js";

const has = (name) => typeof name === "string" && op_environment_get(name) !== null;
const get = (name) => (typeof name === "string" ? op_environment_get(name) ?? undefined : undefined);

/** An object whose properties are the variables. Values are strings, and what code sets, only its isolate sees. */
export const environment = new Proxy({}, {
  __proto__: null,
  defineProperty: (_, name, { value }) => (op_environment_set(String(name), String(value)), true),
  deleteProperty: (_, name) => (op_environment_delete(String(name)), true),
  get: (_, name) => get(name),
  getOwnPropertyDescriptor: (_, name) =>
    has(name) ? { configurable: true, enumerable: true, value: get(name), writable: true } : undefined,
  has: (_, name) => has(name),
  ownKeys: () => ObjectKeys(op_environment()),
  set: (_, name, value) => (op_environment_set(String(name), String(value)), true),
});
