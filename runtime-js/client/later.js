// The part that every page loads after it is shown: it watches the connection to the host, and registers the worker.

import { mend } from "./mending.js";
import { redirect } from "./redirects.js";
import { watchApp } from "./status.js";

export { mend, redirect };

const WORKER = "/.liveline/worker.js";

/** @param {object} app @param {boolean} hasWorker whether there are handlers for the service worker */
export function goOn(app, hasWorker) {
  watchApp(app);
  serveByWorker(hasWorker);
}

/** Registers the service worker if it has handlers, and unregisters it if it has none any more. */
async function serveByWorker(hasHandlers) {
  const container = globalThis.navigator.serviceWorker;
  // Only secure contexts have service workers.
  if (container === undefined) return;
  try {
    if (hasHandlers) {
      await container.register(WORKER, { type: "module", scope: "/" });
      return;
    }
    const registration = await container.getRegistration("/");
    const script = registration?.active?.scriptURL ?? "";
    if (new URL(script || "/", location.href).pathname === WORKER) await registration.unregister();
  } catch (error) {
    console.warn("The service worker was not registered:", error);
  }
}
