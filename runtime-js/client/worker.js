// The service worker: handlers between the page and the server.

import { LiveResponse } from "../live_response/live_response.js";
import { setPortOpener, statesOf } from "../live_response/states.js";
import { RemotePort } from "../port/remote_port.js";
import { Observer } from "../observer/observer.js";
import { documentOf, isScript, keepPage, keepScripts, script } from "./documents.js";
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

/** The parts are bundled with the worker, which loads nothing later. */
const PARTS = { events: { openEvents }, sockets: { keepLine } };
const PAGE_HEADER = "X-Live-Page";
/** Paths that only the host answers. */
const HOST_PATHS = /^\/(?:\.liveline\/|app\.m?js$)/;

/** @param {[string, object][]} handlers pattern and module of each */
export function start(handlers) {
  setPortOpener((response) => {
    const address = response.headers.get("X-Live-Session") ?? "";
    const open = transportFor(address, response.url, async (part) => PARTS[part]);
    return open === null ? null : new RemotePort(open);
  });
  const tree = new StepTree(handlers.map(([pattern, module]) => [pattern, () => module]));
  const router = new Router(tree, askServer);
  addEventListener("install", (event) => {
    skipWaiting();
    // Without the kept scripts the site works only as long as the server can be reached.
    event.waitUntil(keepScripts().catch((error) => console.warn("Scripts were not kept:", error)));
  });
  addEventListener("activate", (event) => event.waitUntil(takeOver()));
  addEventListener("fetch", (event) => {
    const { request } = event;
    const { origin, pathname } = new URL(request.url);
    if (origin !== location.origin) return;
    if (HOST_PATHS.test(pathname)) {
      if (isScript(request, pathname)) event.respondWith(script(request));
      return;
    }
    if (!isStream(request) && tree.resolve(pathname).length > 0) event.respondWith(answer(router, event));
  });
}

/** Serves the open pages, and keeps the documents that show their states. */
async function takeOver() {
  await clients.claim();
  const windows = await clients.matchAll({ type: "window" });
  await Promise.all(windows.map(({ url }) => keepPage(new URL(url).pathname)));
}

/** Whether a request is an EventSource's. The browser reconnects when such a stream ends, but not after an error. */
function isStream({ headers }) {
  return /\btext\/event-stream\b/i.test(headers.get("accept") ?? "");
}

/** The answer after the last handler. A document is requested as the browser requested it. */
function askServer({ request, signal }) {
  return request.mode === "navigate" ? fetch(request.clone()) : fetch(request.clone(), { signal });
}

/** Whether an answer is a state, which a browser that loads a document receives inside the page. */
function isState(result) {
  if (!(result instanceof Response)) return true;
  return /^application\/json\b/i.test(result.headers.get("content-type") ?? "") && !result.headers.has("location");
}

async function answer(router, fetchEvent) {
  const report = (error) => console.error(error);
  const controller = new AbortController();
  const downstream = new Downstream(report);
  const openClient = () => downstream.openClient();
  const event = new ClientEvent(fetchEvent.request, { detail: { event: fetchEvent }, controller, report, openClient });
  const { request } = fetchEvent;
  const isDocument = request.mode === "navigate";
  const { pathname } = new URL(request.url);
  let isPage = isDocument;
  const ran = router.run(event).then((result) => {
    isPage &&= isState(result);
    // An answer that no handler has read is returned as it is, and the page joins the server's line itself. The same
    // holds for a document.
    if (result instanceof Response && (!event[kHasClient] || isDocument && !isPage)) return result;
    const live = LiveResponse.from(result);
    statesOf(live).follow(downstream);
    // A generator or a live function is stopped, because nothing follows it any more.
    downstream.over.then(() => live.disconnect());
    return downstream.answer;
  });
  downstream.over.then(() => controller.abort());
  // The browser keeps the worker alive only until this promise settles.
  fetchEvent.waitUntil(ran.then((response) => response.headers.has("X-Live-Session") ? downstream.over : null, () => {}));
  const response = await Promise.race([ran, downstream.answer]);
  if (isPage) return await documentOf(response, pathname);
  if (isDocument && response.headers.has("X-Live-Page")) fetchEvent.waitUntil(keepPage(pathname));
  return await forPage(fetchEvent.request, response);
}

/** Marks an answer of the worker's handlers with the page of its path, as the host marks its own. */
async function forPage(request, response) {
  const shown = request.headers.get(PAGE_HEADER);
  if (shown === null || response.url !== "" || response.type === "error") return response;
  const { status, statusText, headers } = response;
  const marked = new Headers(headers);
  marked.set(PAGE_HEADER, await pageOf(new URL(request.url).pathname, shown));
  return new Response(response.body, { status, statusText, headers: marked });
}
