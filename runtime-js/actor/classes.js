// The classes of actors, by name, and the classes that they extend. A dialect registers the classes that its modules
// export; `liveline:actors` registers those of other handlers.

import { Error, SafeMap, TypeError } from "../primordials.js";

/** What an actor's class extends to be called by RPC: the instance has its state and the bindings. */
export class DurableObject {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** The class of a service that other code calls by RPC; each call has an instance of its own. */
export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** An object that is passed by reference in RPC: its methods are called where it was made. */
export class RpcTarget {}

/** @type {Map<string, { Class: Function, isCallable: boolean, maxSockets?: number, messageRate?: number }>} */
const classes = new SafeMap();

/**
 * Registers a class of this generation. Every isolate registers the same classes while its modules load.
 * @param {string} name
 * @param {Function} Class
 * @param {{ isCallable?: boolean, maxSockets?: number, messageRate?: number }} [options] whether its methods can be
 *   called by RPC; if not given, those of classes that extend {@link DurableObject}. The others are limits, see
 *   {@link settings}
 */
export function registerClass(name, Class, options = { __proto__: null }) {
  const { isCallable = Class?.prototype instanceof DurableObject, maxSockets, messageRate } = options;
  if (typeof name !== "string" || name === "") throw new TypeError("The name of an actor's class is a string.");
  if (typeof Class !== "function") throw new TypeError(`The actor's class ${name} is a class, not ${typeof Class}.`);
  const before = classes.get(name);
  if (before?.Class === Class) return;
  if (before !== undefined) throw new TypeError(`There are two classes of actors named ${name}; a name is for one.`);
  classes.set(name, { Class, isCallable, maxSockets, messageRate });
}

/** Whether a class has this name. */
export function hasClass(name) {
  return classes.has(name);
}

/** Whether the methods of a class can be called by RPC. */
export function supportsRpc(name) {
  return classes.get(name)?.isCallable === true;
}

/** The class with this name; an error that lists the others if there is none. */
export function classNamed(name) {
  const found = classes.get(name);
  if (found !== undefined) return found.Class;
  let names = "";
  for (const known of classes.keys()) names += `${names === "" ? "" : ", "}${known}`;
  const known = names === "" ? "no class is registered" : `the classes are ${names}`;
  throw new Error(`There is no actor class named ${name}: ${known}.`);
}

/** Makes the `env` of constructors. @type {(className: string) => object} */
let makeEnv = () => ({});

/** For a dialect: `make` returns the `env` that constructors get. @param {(className: string) => object} make */
export function setEnv(make) {
  makeEnv = make;
}

export function envOf(className) {
  return makeEnv(className);
}

/** What the dates and flags of an application decide, and limits that the host enforces. */
export const settings = {
  __proto__: null,
  /** The initial `binaryType` of accepted sockets. */
  binaryType: "arraybuffer",
  /** How many sockets one actor may have; 0 for no limit. */
  maxSockets: 0,
  /** How many messages a second one socket may send to its actor; 0 for no limit. */
  messageRate: 0,
  /** `deleteAll()` deletes the alarm, too. */
  deleteAllDeletesAlarm: true,
};

/** For a dialect, before the first request. @param {Partial<typeof settings>} changes */
export function configure(changes) {
  for (const name in settings) {
    if (changes[name] !== undefined) settings[name] = changes[name];
  }
}

/** How many sockets an actor of a class may have, and how many messages a second each may send; 0 for no limit. */
export function limitsOf(className) {
  const found = classes.get(className);
  return {
    maxSockets: found?.maxSockets ?? settings.maxSockets,
    messageRate: found?.messageRate ?? settings.messageRate,
  };
}
