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
export { callMember } from "../actor/mail.js";
export { namespace } from "../actor/namespace.js";
export { setExports } from "../actor/state.js";
export { stubOf } from "../actor/stub.js";
import "../actor/instance.js";
