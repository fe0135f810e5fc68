// DurableObjectNamespace: ids, and stubs of the actors of one class.

import { op_actor_id_of_name, op_actor_id_of_text, op_actor_id_unique } from "ext:core/ops";
import { classNamed, hasClass } from "./classes.js";
import { actorStub } from "./stub.js";
import { ObjectDefineProperty, SafeMap, String, SymbolToStringTag, TypeError } from "../primordials.js";

/** The id of an actor: 64 hexadecimal digits, which hold a check of the class. */
class DurableObjectId {
  #text;
  #className;

  constructor(className, text, name) {
    this.#className = className;
    this.#text = text;
    // Only ids that were made of a name have one.
    if (name !== undefined) ObjectDefineProperty(this, "name", { __proto__: null, enumerable: true, value: name });
  }

  static {
    textOf = (id) => id.#text;
    classOf = (id) => id.#className;
    isId = (id) => typeof id === "object" && id !== null && #text in id;
  }

  toString() {
    return this.#text;
  }

  equals(other) {
    return isId(other) && other.#text === this.#text && other.#className === this.#className;
  }

  get [SymbolToStringTag]() {
    return "DurableObjectId";
  }
}

/** @type {(id: DurableObjectId) => string} */
export let textOf;
/** @type {(id: DurableObjectId) => string} */
let classOf;
/** @type {(value: unknown) => boolean} */
let isId;

/** The id of an actor that exists, for its state. */
export function idOf(className, text, name = undefined) {
  return new DurableObjectId(className, text, name);
}

class DurableObjectNamespace {
  #className;

  constructor(className) {
    this.#className = className;
  }

  idFromName(name) {
    const text = String(name);
    return new DurableObjectId(this.#className, op_actor_id_of_name(this.#className, text), text);
  }

  newUniqueId(_options = undefined) {
    return new DurableObjectId(this.#className, op_actor_id_unique(this.#className), undefined);
  }

  idFromString(text) {
    const digits = String(text);
    const id = op_actor_id_of_text(this.#className, digits);
    if (id === "") {
      throw new TypeError(
        digits.length === 64
          ? `Invalid Durable Object ID: it belongs to another class than ${this.#className}, or was never made.`
          : "Invalid Durable Object ID: must be 64 hex digits",
      );
    }
    return new DurableObjectId(this.#className, id, undefined);
  }

  get(id, _options = undefined) {
    if (!isId(id)) throw new TypeError("Failed to execute 'get': parameter 1 is not of type 'DurableObjectId'.");
    if (classOf(id) !== this.#className) {
      throw new TypeError(`Durable Object ID is not valid for this namespace: it is one of ${classOf(id)}.`);
    }
    return actorStub(this.#className, id);
  }

  getByName(name, options = undefined) {
    return this.get(this.idFromName(name), options);
  }

  getExisting(id, options = undefined) {
    return this.get(id, options);
  }

  /** Places are ignored: there is one. */
  jurisdiction(_name) {
    return this;
  }

  get [SymbolToStringTag]() {
    return "DurableObjectNamespace";
  }
}

/** @type {Map<string, DurableObjectNamespace>} */
const namespaces = new SafeMap();

/**
 * The namespace of a class. The class may be registered later, but before the first actor is called.
 * @param {string} className
 */
export function namespace(className) {
  let found = namespaces.get(className);
  if (found === undefined) namespaces.set(className, found = new DurableObjectNamespace(className));
  return found;
}

/** Fails if a namespace has no class. */
export function checkNamespaces() {
  for (const className of namespaces.keys()) {
    if (!hasClass(className)) classNamed(className);
  }
}

export { DurableObjectId, DurableObjectNamespace };
