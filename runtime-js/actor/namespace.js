// DurableObjectNamespace: ids, and stubs of the actors of one class.

import { op_actor_id_of_name, op_actor_id_of_text, op_actor_id_unique } from "ext:core/ops";
import { CALL, callActor, FETCH } from "./mail.js";
import { encodeRequest } from "./http.js";
import { stubOf } from "./stub.js";
import { encode, setActorStub } from "./values.js";
import { followRedirects, requestToOwnCode } from "../fetch/redirects.js";
import { socketOfBody, spliceSockets } from "../websocket/pair.js";
import { ObjectDefineProperty, Request, SafeMap, String, SymbolToStringTag, TypeError } from "../primordials.js";

/** @type {(id: DurableObjectId) => string} */
export let textOf;
/** @type {(id: DurableObjectId) => string} */
let classOf;
/** @type {(value: unknown) => boolean} */
let isId;

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
    if (arguments.length === 0) throw new TypeError("Failed to execute 'idFromName': it takes a name.");
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
    return actorStub({ className: this.#className, id: textOf(id), name: id.name }, id);
  }

  getByName(name, options = undefined) {
    if (arguments.length === 0) throw new TypeError("Failed to execute 'getByName': it takes a name.");
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

/** The class of stubs, for `instanceof` and names; its members are made for each. */
class DurableObjectStub {}

/** A stub of an actor. */
function actorStub(actor, id = idOf(actor.className, actor.id, actor.name)) {
  const own = {
    __proto__: DurableObjectStub.prototype,
    id,
    name: actor.name,
    fetch: (input, init = undefined) => fetchActor(actor, input, init),
    connect() {
      throw new TypeError("connect(): sockets without HTTP are not supported.");
    },
  };
  const send = (path, args) => callActor(actor, CALL, [path, args === null ? null : encode(args)]);
  return stubOf({ send, actor }, own);
}

setActorStub((actor) => actorStub(actor));

/** Sends a request to an actor. A socket as its body is joined with the socket of the answer. */
async function fetchActor(actor, input, init) {
  const socket = socketOfBody(init?.body);
  const request = requestToOwnCode(input, socket === null ? init : { ...init, body: undefined });
  const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
  const send = (request) => callActor(actor, FETCH, [encodeRequest(request), signal !== null], signal);
  const response = await followRedirects(request, send);
  if (socket !== null) spliceSockets(socket, response);
  return response;
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
