// `dispatcher`: messages between the scripts of a project. Listeners run at once, in the isolate of the sender.

import { op_log_error } from "ext:core/ops";
import { isPromise } from "ext:liveline/errors/exceptions.js";
import {
  ArrayPrototypePush,
  PromisePrototypeCatch,
  SafeArrayIterator,
  SafeMap,
  String,
  TypeError,
} from "ext:liveline/primordials.js";
import { plainContext } from "ext:liveline_aiwebengine/request.js";

/** How many calls of `sendMessage()` may be within each other. */
const MAX_DEPTH = 32;

/** By the type of message. @type {Map<string, { script: object, handler: string | Function }[]>} */
const listeners = new SafeMap();
let depth = 0;

export function dispatcherOf(script) {
  return {
    __proto__: null,
    registerListener(type, handler) {
      const key = String(type);
      const list = listeners.get(key) ?? [];
      for (const it of new SafeArrayIterator(list)) {
        if (it.script === script && it.handler === handler) return `Listener for '${key}' is registered already`;
      }
      ArrayPrototypePush(list, { script, handler });
      listeners.set(key, list);
      return `Listener for '${key}' registered`;
    },
    sendMessage(type, data = undefined) {
      const key = String(type);
      const list = listeners.get(key) ?? [];
      if (depth === MAX_DEPTH) {
        throw new TypeError(`dispatcher.sendMessage("${key}"): ${MAX_DEPTH} messages were sent within each other; a listener sends what it listens to.`);
      }
      depth += 1;
      try {
        for (const listener of new SafeArrayIterator(list)) notify(listener, key, data);
      } finally {
        depth -= 1;
      }
      return `Message '${key}' sent to ${list.length} listeners`;
    },
  };
}

/** An error of one listener is logged, and the others are called. */
function notify({ script, handler }, type, data) {
  const what = `the listener of "${type}" in ${script.name}`;
  try {
    const context = plainContext("messageListener", { messageType: type, messageData: data, message: data, data });
    const result = script.resolve(handler, `the listener of "${type}"`)(context);
    if (isPromise(result)) PromisePrototypeCatch(result, (error) => op_log_error(what, error));
  } catch (error) {
    op_log_error(what, error);
  }
}
