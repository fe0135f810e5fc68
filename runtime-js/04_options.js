// What callers give by name: an option that does not exist, or a member that other hosts have, is an error that says
// what there is instead. Nothing that somebody wrote is ignored.

import {
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ObjectDefineProperty,
  ObjectEntries,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  SafeArrayIterator,
  TypeError,
} from "./00_primordials.js";

/**
 * Fails where `options` has a key that is not `known`. Instances of classes, such as a Response that is passed as an
 * init, have more members than the call reads, and pass.
 * @param {string} call what takes the options, for the error
 * @param {object | null | undefined} options
 * @param {string[]} known
 * @param {Record<string, string>} [absent] what to do instead of options that other hosts have
 */
export function checkOptions(call, options, known, absent = undefined) {
  if (options === undefined || options === null) return;
  if (typeof options !== "object") throw new TypeError(`${call}: options are an object, not ${typeof options}.`);
  const prototype = ObjectGetPrototypeOf(options);
  if (prototype !== ObjectPrototype && prototype !== null) return;
  for (const name of new SafeArrayIterator(ObjectKeys(options))) {
    if (ArrayPrototypeIncludes(known, name) || options[name] === undefined) continue;
    const instead = absent?.[name] ?? `there are ${ArrayPrototypeJoin(known, ", ")}.`;
    throw new TypeError(`${call} has no option "${name}": ${instead}`);
  }
}

/** For the host: members that Webflo has and this host has not. Whoever asks for one learns what to use. */
export function defineAbsent(prototype, owner, members) {
  for (const { 0: name, 1: instead } of new SafeArrayIterator(ObjectEntries(members))) {
    const property = {
      __proto__: null,
      configurable: true,
      enumerable: false,
      get() {
        throw new TypeError(`${owner}.${name} does not exist on this host: ${instead}`);
      },
    };
    ObjectDefineProperty(prototype, name, property);
  }
}
