// What applications add to their instances, requests and replies.

import { primordials } from "ext:core/mod.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { at, placeOf } from "ext:liveline_fastify/queue.js";
import { kState } from "ext:liveline_fastify/routes.js";

const {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ObjectDefineProperty,
  ReflectHas,
  SafeArrayIterator,
  SafeMap,
} = primordials;

/** Where each decorator of an instance or of a class was added. */
export function placesOf(app, key) {
  let places = app.places.get(key);
  if (places === undefined) app.places.set(key, places = new SafeMap());
  return places;
}

/** The error of a second decorator of a name, with the place of the first. */
export function alreadyThere(name, place) {
  const error = new codes.FST_ERR_DEC_ALREADY_PRESENT(name);
  return at(error, "", place ?? "");
}

/** Fails if a decorator that another one needs is not there. */
export function checkDependencies(name, dependencies, has) {
  if (dependencies === undefined) return;
  if (!ArrayIsArray(dependencies)) throw new codes.FST_ERR_DEC_DEPENDENCY_INVALID_TYPE(name);
  for (const dependency of new SafeArrayIterator(dependencies)) {
    if (!has(dependency)) throw new codes.FST_ERR_DEC_MISSING_DEPENDENCY(dependency);
  }
}

/** Adds a value, or an accessor of `{ getter, setter }`. */
export function put(target, name, value) {
  const isAccessor = value !== null && typeof value === "object" && (typeof value.getter === "function" || typeof value.setter === "function");
  if (isAccessor) {
    ObjectDefineProperty(target, name, { __proto__: null, configurable: true, enumerable: true, get: value.getter, set: value.setter });
  } else {
    ObjectDefineProperty(target, name, { __proto__: null, configurable: true, enumerable: true, value, writable: true });
  }
}

/** Whether requests or replies of a class have a property. */
export function hasMember(Class, name) {
  return ReflectHas(Class.prototype, name);
}

/** Adds a property to requests or replies. */
export function decorateClass(server, kind, Class, name, value, dependencies, above) {
  const { app } = server[kState];
  if (app.isReady) throw new codes.FST_ERR_DEC_AFTER_START(name);
  const isReference = value !== null && typeof value === "object" && typeof value.getter !== "function" && typeof value.setter !== "function";
  if (isReference) throw new codes.FST_ERR_DEC_REFERENCE_TYPE(name, typeof value);
  const places = placesOf(app, Class);
  if (hasMember(Class, name) || ArrayPrototypeIncludes(kind === "request" ? OF_REQUESTS : OF_REPLIES, name)) {
    throw alreadyThere(name, places.get(name));
  }
  checkDependencies(name, dependencies, (other) => hasMember(Class, other));
  places.set(name, placeOf(above));
  put(Class.prototype, name, value);
}

/** Properties that each request and reply has. */
const OF_REQUESTS = ["id", "params", "body", "validationError"];
const OF_REPLIES = ["request"];
