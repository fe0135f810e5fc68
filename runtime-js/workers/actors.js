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
export { setExports, WebSocketRequestResponsePair } from "../actor/state.js";
export { RpcPromise, RpcProperty, RpcStub, stubOf } from "../actor/stub.js";
export { decode, encode } from "../actor/values.js";
import "../actor/instance.js";
