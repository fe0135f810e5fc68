// The async context of actors' code: what an actor starts belongs to it.

import { core } from "ext:core/mod.js";

/** Deno's async variables extend it by copying its own properties. */
class ActorContext {
  constructor(instance) {
    /** The actor's code belongs to no exchange. */
    this.owner = undefined;
    this.actor = instance;
  }
}

/** The actor whose code is running; undefined outside of any. @returns {import("./instance.js").Instance | undefined} */
export function currentActor() {
  return core.getAsyncContext()?.actor;
}

/** Runs `callback` as code of an actor; of none if `instance` is undefined. */
export function inActor(instance, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext(instance === undefined ? undefined : instance.context ??= new ActorContext(instance));
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
}
