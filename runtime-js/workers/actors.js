// What this dialect uses of actors, in one place.

import { Error } from "../primordials.js";

export {
  configure,
  DurableObject,
  hasClass,
  registerClass,
  RpcTarget,
  setEnv,
  WorkerEntrypoint,
} from "../actor/classes.js";

/** The namespace of a class. */
export function namespace(className) {
  throw new Error(`The actors of ${className} cannot run in this build.`);
}
