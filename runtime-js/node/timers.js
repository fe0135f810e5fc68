// Node's timers. Those that code of the project starts belong to its exchange, as the web's timers do; those of packages
// run until they are cleared, as under Node: a pool or a driver that one visitor's request has started serves others.

import { core } from "ext:core/mod.js";
import { op_called_by_package } from "ext:core/ops";
import { currentExchange } from "ext:liveline/exchange.js";
import { disown, own, useForPackages } from "ext:liveline/timers.js";

const load = core.createLazyLoader("node:timers");

/** Whether a timer of Node's was ever started. */
let isUsed = false;

/** A timer of `node:timers` was started. */
export function startedTimer(id, timer, kDestroy) {
  isUsed = true;
  const exchange = currentExchange();
  if (exchange !== undefined && !op_called_by_package()) {
    own(exchange, id, { repeats: timer._repeat, cancel: () => timer[kDestroy]() });
  }
}

/** A timer fired for the last time, or was cleared. */
export const endedTimer = disown;

/** What the global functions do when packages call them: timers are objects with `unref()` and the like. */
useForPackages({ isUsed: () => isUsed, load });
