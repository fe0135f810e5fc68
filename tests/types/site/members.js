// The members that a public object has: names only.

/** Classes of the platform that public classes extend. Node has no CloseEvent and no WebSocket. */
const PLATFORM = [Object, Function, EventTarget, Event, globalThis.CloseEvent, globalThis.WebSocket];

/** The names of an object's members, without those of the platform, even where they are overridden. */
export function members(object) {
  const isPlatform = (prototype) => PLATFORM.some((of) => of?.prototype === prototype);
  const names = new Set();
  for (let at = object; at !== null && !isPlatform(at); at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  for (const of of [Object, EventTarget, Event, globalThis.WebSocket].filter((of) => of && object instanceof of)) {
    for (const name of Object.getOwnPropertyNames(of.prototype)) names.delete(name);
  }
  for (const name of ["isTrusted", ...typeof object === "function" ? ["length", "name", "prototype"] : []]) {
    names.delete(name);
  }
  return [...names].sort();
}
