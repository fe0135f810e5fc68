// Requests a page again whose line was lost for good.

import { tellOfLine } from "./transport.js";

const APP = "/app.js";
/** If a line was shorter, in milliseconds, the page is not requested again at once. */
const SHORT_LIFE_MS = 60_000;
/** The longest pause between two requests that test the host; also what each refused line adds to the pause. */
const MAX_PAUSE_MS = 30_000;

/** The longest pause before the page is requested, in milliseconds. */
let pause = 0;

/**
 * Waits until the host answers, and requests the page.
 * @param {number} start when its line began
 * @param {string} reason why it ended
 * @param {AbortSignal} signal aborts when something else is shown
 * @param {() => Promise<unknown>} reload requests the page. Its error has `isUnanswered` if the host did not answer;
 *   other errors it reports itself
 */
export async function mend(start, reason, signal, reload) {
  // The host refuses lines of pages of another origin or another visitor, and will refuse the next one as well.
  if (reason === "refused") pause += MAX_PAUSE_MS;
  // A line that is lost at once must not make its handler run all the time.
  if (Date.now() - start > SHORT_LIFE_MS) pause = 0;
  while (!signal.aborted) {
    const wait = pause * (1 + Math.random()) / 2;
    pause = Math.max(pause, Math.min(2 * pause + 500, MAX_PAUSE_MS));
    await new Promise((resolve) => setTimeout(resolve, wait));
    // Not a request for the page itself, which would run its handler.
    const answer = await fetch(APP, { method: "HEAD", cache: "no-store" }).catch(() => null);
    if (signal.aborted || !answer?.ok) continue;
    try {
      await reload();
      return tellOfLine("reloaded");
    } catch (error) {
      // A host that ends may answer one request and refuse the next.
      if (!error?.isUnanswered || error.name === "AbortError") return;
    }
  }
}
