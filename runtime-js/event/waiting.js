// event.waitUntil() with a time limit or a callback that decides when the wait is over.

import { setTimeout } from "../timers.js";
import { waitFor } from "./wait.js";
import {
  Event,
  EventTargetPrototypeAddEventListener,
  EventTargetPrototypeRemoveEventListener,
} from "../primordials.js";

/** For the callback of a wait: the user has changed. `data` is the new id, undefined after a sign-out. */
class UserEvent extends Event {
  constructor(id) {
    super("user");
    this.data = id;
  }
}

/**
 * As {@link waitFor}. The events of the callback have the type `timeout`, `abort`, `navigate` or `user`.
 * @param {import("./event.js").HttpEvent} event
 */
export function waited(event, promise, timeout, callback) {
  const { client, signal } = event;
  return waitFor(promise, timeout, callback, signal, setTimeout, (tell) => {
    EventTargetPrototypeAddEventListener(client, "navigate", tell);
    const unsubscribe = event.user.subscribe("id", ({ value }) => tell(new UserEvent(value)));
    return () => {
      EventTargetPrototypeRemoveEventListener(client, "navigate", tell);
      unsubscribe();
    };
  });
}
