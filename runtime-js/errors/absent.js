// Members that other hosts of such handlers have and this one has not.

import {
  ObjectDefineProperty,
  ObjectEntries,
  SafeArrayIterator,
  TypeError,
} from "../primordials.js";

/** Reading one of `members` throws an error that names what to use instead. */
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
