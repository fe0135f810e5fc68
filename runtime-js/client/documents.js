// The files that a service worker keeps for times when the server cannot be reached: the app's scripts, and pages
// without a state, into which it inserts the answers of its handlers.

/** The cache's name. */
const KEPT = "liveline";
/** The host's address of a route's page without a state. */
const PAGES = "/.liveline/blank";
/** The most pages that are kept; the oldest are removed first. */
const MAX_PAGES = 50;

/** The scripts that every page needs. */
const SCRIPTS = ["/app.js", ...["binding", "dialogs", "forms", "handlers", "later", "live", "sockets"].map((part) => `/.liveline/app/${part}.js`)];
/** The host's scripts that are kept when a page loads them. */
const IS_SCRIPT = /^\/(?:app\.m?js$|\.liveline\/(?:app|client)\/)/;

/** The empty state in a page without a state, as the host writes it. */
const NO_STATE = /<script rel="hydration" type="application\/json"[^>]*>null<\/script>/;
/** The first element that the host inserts into a page's head. */
const FIRST = '<meta name="liveline-page"';

/** Whether a request is for one of the scripts that are kept. */
export function isScript(request, pathname) {
  return request.method === "GET" && IS_SCRIPT.test(pathname);
}

/** Keeps the scripts of every page, because the first page was loaded before there was a worker. */
export async function keepScripts() {
  const cache = await caches.open(KEPT);
  await cache.addAll(SCRIPTS);
}

/** The server's script, or the kept one if the server cannot be reached. */
export async function script(request) {
  return await newest(request, request.url);
}

/** Keeps the page of a path, which was just shown. */
export async function keepPage(pathname) {
  await newest(pageAt(pathname), pageAt(pathname)).catch(() => {});
  const cache = await caches.open(KEPT);
  const pages = (await cache.keys()).filter(({ url }) => new URL(url).pathname.startsWith(PAGES));
  for (const { url } of pages.slice(0, -MAX_PAGES)) await cache.delete(url);
}

/** The server's answer, which is kept; or the kept one if the server cannot be reached. */
async function newest(request, key) {
  const cache = await caches.open(KEPT);
  try {
    const response = await fetch(request);
    if (response.ok) {
      // Put at the end, so that the first entry is the one that was requested longest ago.
      await cache.delete(key);
      await cache.put(key, response.clone());
    }
    return response;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept === undefined) throw error;
    return kept;
  }
}

function pageAt(pathname) {
  return PAGES + pathname;
}

/**
 * An answer as a document, if the route's page is available; else unchanged.
 * @param {Response} response whose body is a state, or empty
 */
export async function documentOf(response, pathname) {
  const page = await pageFor(pathname);
  if (page === null) return response;
  const headers = new Headers(response.headers);
  const address = headers.get("X-Live-Session");
  for (const name of ["X-Live-Session", "content-length"]) headers.delete(name);
  headers.set("content-type", "text/html;charset=UTF-8");
  const { status, statusText } = response;
  const html = withState(page, await stateOf(response), status, address);
  return new Response(html, { status: status === 204 ? 200 : status, statusText, headers });
}

/** A response's body as JSON. */
async function stateOf(response) {
  const text = await response.text();
  if (text === "") return "null";
  const isJson = /^application\/json\b/i.test(response.headers.get("content-type") ?? "");
  return isJson ? text : JSON.stringify(text);
}

/** The page of a path, or the kept page of a path above it. */
async function pageFor(pathname) {
  const response = await newest(pageAt(pathname), pageAt(pathname)).catch(() => null);
  if (response !== null) return response.ok ? await response.text() : null;
  const cache = await caches.open(KEPT);
  for (let path = pathname; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    const kept = await cache.match(pageAt(path)) ?? await cache.match(pageAt(`${path}/`));
    if (kept !== undefined) return await kept.text();
  }
  return await (await cache.match(pageAt("/")))?.text() ?? null;
}

/** A page with a state, and with the address of a line. */
function withState(page, json, status, address) {
  // The escapes keep the text from ending the script or beginning a comment in it.
  const safe = json.replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const shown = status === 200 ? "" : ` data-status="${status}"`;
  const state = `<script rel="hydration" type="application/json"${shown}>${safe}</script>`;
  const html = page.replace(NO_STATE, () => state);
  if (address === null) return html;
  const content = address.replace(/["&<]/g, (c) => `&#${c.charCodeAt(0)};`);
  return html.replace(FIRST, () => `<meta name="X-Live-Session" content="${content}">${FIRST}`);
}
