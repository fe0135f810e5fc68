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
  const router = new Router(tree, askServer);
  addEventListener("install", (event) => {
    skipWaiting();
    // Without them the site works as long as it can be reached.
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

/** Serves the pages that are there already, and keeps what shows them. */
async function takeOver() {
  await clients.claim();
  const windows = await clients.matchAll({ type: "window" });
  await Promise.all(windows.map(({ url }) => keepPage(new URL(url).pathname)));
}

/** Whether the browser itself follows a stream of events: it asks again where one ends, and would not where it failed. */
function isStream({ headers }) {
  return /\btext\/event-stream\b/i.test(headers.get("accept") ?? "");
}

/** Past the last handler. A document is asked for as the browser did it. */
function askServer({ request, signal }) {
  return request.mode === "navigate" ? fetch(request.clone()) : fetch(request.clone(), { signal });
}

/** Whether an answer is a state, of which a browser that loads a document is shown the page. */
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
    // An answer that no handler has read goes on as it is, and the page follows the server's line itself; so does a document.
    if (result instanceof Response && (!event[kHasClient] || isDocument && !isPage)) return result;
    const live = LiveResponse.from(result);
    statesOf(live).follow(downstream);
    // A generator or a live function has no follower left.
    downstream.over.then(() => live.disconnect());
    return downstream.answer;
  });
  downstream.over.then(() => controller.abort());
  // The browser keeps the worker for as long as it knows that there is something to do.
  fetchEvent.waitUntil(ran.then((response) => response.headers.has("X-Live-Session") ? downstream.over : null, () => {}));
  const response = await Promise.race([ran, downstream.answer]);
  if (isPage) return await documentOf(response, pathname);
  if (isDocument && response.headers.has("X-Live-Page")) fetchEvent.waitUntil(keepPage(pathname));
  return await forPage(fetchEvent.request, response);
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
