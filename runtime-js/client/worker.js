// The service worker: handlers between the page and the server.

import { kSink, LiveResponse, setPortOpener } from "../20_live_response.js";
import { RemotePort } from "../34_remote_port.js";
import { Observer } from "../60_observer.js";
import { Downstream } from "./downstream.js";
import { ClientEvent, kHasClient } from "./event.js";
import { openEvents } from "./events.js";
import { provideLiveFunctions } from "./live.js";
import { pageOf } from "./pages.js";
import { keepLine } from "./sockets.js";
import { Router, StepTree } from "./steps.js";
import { transportFor } from "./transport.js";

globalThis.LiveResponse = LiveResponse;
globalThis.Observer = Observer;
provideLiveFunctions();

/** A worker loads nothing later. */
const PARTS = { events: { openEvents }, sockets: { keepLine } };
const PAGE_HEADER = "X-Live-Page";
/** What only the host answers. */
const HOST_PATHS = /^\/(?:\.liveline\/|app\.m?js$)/;

/** @param {[string, object][]} handlers pattern and module of each */
export function start(handlers) {
  setPortOpener((response) => {
    const address = response.headers.get("X-Live-Session") ?? "";
    const open = transportFor(address, response.url, async (part) => PARTS[part]);
    return open === null ? null : new RemotePort(open);
  });
  const tree = new StepTree(handlers.map(([pattern, module]) => [pattern, () => module]));
  const router = new Router(tree, ({ request, signal }) => fetch(request.clone(), { signal }));
  addEventListener("install", () => skipWaiting());
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) => {
    const { origin, pathname } = new URL(event.request.url);
    // A page is the server's to render.
    const isOurs = origin === location.origin && event.request.mode !== "navigate" && !HOST_PATHS.test(pathname);
    if (isOurs && tree.resolve(pathname).length > 0) event.respondWith(answer(router, event));
  });
}

async function answer(router, fetchEvent) {
  const report = (error) => console.error(error);
  const controller = new AbortController();
  const downstream = new Downstream(report);
  const openClient = () => downstream.openClient();
  const event = new ClientEvent(fetchEvent.request, { detail: { event: fetchEvent }, controller, report, openClient });
  const ran = router.run(event).then((result) => {
    // What nobody looked into goes on as it is, and the page follows the server's line itself.
    if (result instanceof Response && !event[kHasClient]) return result;
    const live = LiveResponse.from(result);
    live[kSink](downstream);
    // A generator or a live function has nobody left to speak to.
    downstream.over.then(() => live.disconnect());
    return downstream.answer;
  });
  downstream.over.then(() => controller.abort());
  // The browser keeps the worker for as long as it knows that there is something to do.
  fetchEvent.waitUntil(ran.then((response) => response.headers.has("X-Live-Session") ? downstream.over : null, () => {}));
  return await forPage(fetchEvent.request, await Promise.race([ran, downstream.answer]));
}

/** What was made here belongs to the page of its path, as the host's answers say themselves. */
async function forPage(request, response) {
  const shown = request.headers.get(PAGE_HEADER);
  if (shown === null || response.url !== "" || response.type === "error") return response;
  const { status, statusText, headers } = response;
  const marked = new Headers(headers);
  marked.set(PAGE_HEADER, await pageOf(new URL(request.url).pathname, shown));
  return new Response(response.body, { status, statusText, headers: marked });
}
