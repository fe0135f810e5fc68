// The service worker: handlers between the page and the server.

import { LiveResponse } from "../20_live_response.js";
import { responseOf } from "../22_values.js";
import { Observer } from "../60_observer.js";
import { ClientEvent } from "./event.js";
import { Router, StepTree } from "./steps.js";

globalThis.LiveResponse = LiveResponse;
globalThis.Observer = Observer;

/** What only the host answers. */
const HOST_PATHS = /^\/(?:\.liveline\/|app\.m?js$)/;

/** @param {[string, object][]} handlers pattern and module of each */
export function start(handlers) {
  const tree = new StepTree(handlers.map(([pattern, module]) => [pattern, () => module]));
  const router = new Router(tree, ({ request, signal }) => fetch(request.clone(), { signal }));
  addEventListener("install", () => skipWaiting());
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    // A page is the server's to render.
    const isOurs = url.origin === location.origin && event.request.mode !== "navigate" && !HOST_PATHS.test(url.pathname);
    if (isOurs && tree.resolve(url.pathname).length > 0) event.respondWith(answer(router, event));
  });
}

async function answer(router, event) {
  const controller = new AbortController();
  event.request.signal.addEventListener("abort", () => controller.abort());
  const report = (error) => console.error(error);
  const result = await router.run(new ClientEvent(event.request, { detail: { event }, controller, report }));
  if (result instanceof Response) return result;
  const live = LiveResponse.from(result);
  const { body, status, statusText, headers } = await live.now();
  return responseOf(body, { status, statusText, headers });
}
