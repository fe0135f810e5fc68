// Options by name: an unknown one is an error that lists the known ones. No option is ignored.

import {
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ObjectPrototype,
  PromiseReject,
  SafeArrayIterator,
  TypeError,
} from "../primordials.js";

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
  const prototype = ObjectGetPrototypeOf(options);
  if (prototype !== ObjectPrototype && prototype !== null) return;
  for (const name of new SafeArrayIterator(ObjectKeys(options))) {
    if (ArrayPrototypeIncludes(known, name) || options[name] === undefined) continue;
    throw new TypeError(`${call} has no "${name}": ${absent?.[name] ?? `it takes ${ArrayPrototypeJoin(known, ", ")}.`}`);
  }
}

/** The rejection of a readyStateChange() for a state that there is not; null for one that there is. */
export function wrongState(state, known) {
  if (ArrayPrototypeIncludes(known, state)) return null;
  const states = ArrayPrototypeJoin(known, ", ");
  return PromiseReject(new TypeError(`readyStateChange() takes ${states}`));
}
