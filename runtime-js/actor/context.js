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

/**
 * How something that the running code has started comes back to it, such as a timer or a result: at once, or, where the
 * code is an actor's whose events are held back meanwhile, as an event. What a transaction or blockConcurrencyWhile() has
 * started itself comes at once.
 * @returns {(callback: () => void) => void}
 */
export function arrivalOf() {
  const context = core.getAsyncContext();
  const actor = context?.actor;
  if (actor === undefined) return atOnce;
  return (callback) => actor.arrived(callback, context.section);
}

function atOnce(callback) {
  callback();
}

/** Runs `callback` as code of a transaction or of blockConcurrencyWhile(). */
export function inSection(section, callback) {
  const outer = core.getAsyncContext();
  core.setAsyncContext({ __proto__: null, ...outer, section });
  try {
    return callback();
  } finally {
    core.setAsyncContext(outer);
  }
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
