// A page whose line was lost for good is asked for again.

import { tellOfLine } from "./transport.js";

const APP = "/app.js";
/** A line that ends sooner is no reason to ask again at once. */
const SHORT_LIFE_MS = 60_000;
/** The longest pause between two questions whether anybody answers; where lines are refused, what is added each time. */
const MAX_PAUSE_MS = 30_000;

/** At most how long to wait before the page is asked for. */
let pause = 0;

/**
 * Waits until the host answers, and asks for the page.
 * @param {number} start when its line began
 * @param {string} reason why it ended
 * @param {AbortSignal} signal aborts when something else is shown
 * @param {() => Promise<unknown>} reload
 */
export async function mend(start, reason, signal, reload) {
  // Where the host takes the page for another's, it will take the next for one as well.
  if (reason === "refused") pause += MAX_PAUSE_MS;
  // A line that never lasts must not make its handler run all the time.
  if (Date.now() - start > SHORT_LIFE_MS) pause = 0;
  while (!signal.aborted) {
    const wait = pause * (1 + Math.random()) / 2;
    pause = Math.max(pause, Math.min(2 * pause + 500, MAX_PAUSE_MS));
    await new Promise((resolve) => setTimeout(resolve, wait));
    // Not the page itself: each request for it runs its handler.
    const answer = await fetch(APP, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (signal.aborted || !answer?.ok) continue;
    // It reports its own errors.
    return await reload().then(() => tellOfLine("reloaded"), () => {});
  }
}
