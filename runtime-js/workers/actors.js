// What this dialect uses of actors, in one place.

export {
  configure,
  DurableObject,
  hasClass,
  registerClass,
  RpcTarget,
  setEnv,
  WorkerEntrypoint,
} from "../actor/classes.js";
export { namespace } from "../actor/namespace.js";
import "../actor/instance.js";
