// Discards a result that comes too late: the client has left, or the time is over.

import { domException, isPromise } from "../errors/exceptions.js";
import { abandonSocket } from "../websocket/pair.js";
import { kindOf } from "../live_response/states.js";
import {
  FunctionPrototypeCall,
  IteratorPrototypeReturn,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  PromiseResolve,
  ReadableStream,
  ReadableStreamPrototypeCancel,
  ReadableStreamPrototypeGetLocked,
  ResponsePrototypeGetBody,
} from "../primordials.js";

/**
 * Ends what `value` would have been sent from: a body is cancelled, so that its source hears of it, a generator runs its
 * `finally`, a live program stops. A LiveResponse goes on, since others may follow it.
 */
export function discard(value) {
  if (isPromise(value) && kindOf(value) === "Default") {
    return PromisePrototypeThen(PromiseResolve(value), discard, () => {});
  }
  switch (kindOf(value)) {
    case "Response":
      abandonSocket(value);
      return cancel(ResponsePrototypeGetBody(value));
    case "Generator":
      return ignore(() => typeof value.return === "function" ? IteratorPrototypeReturn(value) : undefined);
    case "LiveProgramHandle": {
      const stop = value.abort ?? value.dispose;
      return ignore(() => typeof stop === "function" ? FunctionPrototypeCall(stop, value) : undefined);
    }
  }
  if (value instanceof ReadableStream) cancel(value);
}

function cancel(stream) {
  if (stream === null || ReadableStreamPrototypeGetLocked(stream)) return;
  ignore(() => ReadableStreamPrototypeCancel(stream, nobodyLeft()));
}

/** Why a body is not read any further. */
export function nobodyLeft() {
  return domException("AbortError", "The client left.");
}

/** Errors meanwhile are ignored. */
function ignore(end) {
  try {
    const ended = end();
    if (isPromise(ended)) PromisePrototypeCatch(PromiseResolve(ended), () => {});
  } catch {
    // As said.
  }
}
