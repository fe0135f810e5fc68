// The static files of a Worker: which file a path means, what happens where there is none, and the binding ASSETS.

import { op_file_before } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { followRedirects } from "../fetch/redirects.js";
import { staticResponse } from "../files.js";
import { currentUrl, partsOf } from "./url.js";
import {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypePush,
  Error,
  HeadersPrototypeDelete,
  HeadersPrototypeSet,
  ObjectAssign,
  Request,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  ResponsePrototypeGetBody,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeRegExp,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeLastIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeStartsWith,
  ArrayPrototypeMap,
  ArrayPrototypeJoin,
  URL,
} from "../primordials.js";
import { op_request_header } from "ext:core/ops";

/** How wrangler serves files where the configuration has no other way. */
let settings = { htmlHandling: "auto-trailing-slash", notFoundHandling: "none", runWorkerFirst: false };
/** Whether a page that is navigated to, and is no file, is answered without the Worker. */
let prefersPages = false;

/** Rules of the files `_headers` and `_redirects`. */
let headerRules = [], redirectRules = [];

export function configureAssets({ assets, headers, redirects }, prefers) {
  settings = ObjectAssign({}, settings, assets);
  headerRules = headers ?? [];
  redirectRules = redirects ?? [];
  prefersPages = prefers;
}

/** Files that are about the others. */
const OWN = ["/_headers", "/_redirects", "/_worker.js", "/_routes.json", "/.assetsignore"];

/**
 * The parts of a path that a pattern names: `*` as `splat`, and `:name` one segment each; null if it does not fit.
 */
function partsFor(pattern, pathname) {
  const names = [];
  const escaped = StringPrototypeReplace(pattern, new SafeRegExp("[.+?^${}()|[\\]\\\\]", "g"), "\\$&");
  const source = StringPrototypeReplace(escaped, new SafeRegExp("\\*|:[A-Za-z]\\w*", "g"), (mark) => {
    ArrayPrototypePush(names, mark === "*" ? "splat" : StringPrototypeSlice(mark, 1));
    return mark === "*" ? "(.*)" : "([^/]+)";
  });
  const found = RegExpPrototypeExec(new SafeRegExp(`^${source}$`), pathname);
  if (found === null) return null;
  const parts = { __proto__: null };
  for (let i = 0; i < names.length; i++) parts[names[i]] = found[i + 1];
  return parts;
}

/** A text with the parts of a path in place of their names. */
function filledIn(text, parts) {
  return StringPrototypeReplace(text, new SafeRegExp(":[A-Za-z]\\w*", "g"), (mark) => parts[StringPrototypeSlice(mark, 1)] ?? mark);
}

/** Where `_redirects` leads from a path: `{ to, status }`, or null. */
function redirectFor(pathname) {
  for (const { from, to, status } of new SafeArrayIterator(redirectRules)) {
    const parts = partsFor(from, pathname);
    if (parts !== null) return { to: filledIn(to, parts), status };
  }
  return null;
}

/** Sets the headers of a file: those that all files have, then those of `_headers`. */
function withHeaders(response, pathname) {
  HeadersPrototypeSet(ResponsePrototypeGetHeaders(response), "Cache-Control", "public, max-age=0, must-revalidate");
  return withRules(response, pathname);
}

/** Sets the headers that `_headers` has for a path. */
function withRules(response, pathname) {
  const headers = ResponsePrototypeGetHeaders(response);
  for (const { path, set, unset } of new SafeArrayIterator(headerRules)) {
    const parts = partsFor(path, pathname);
    if (parts === null) continue;
    for (const name of new SafeArrayIterator(unset)) HeadersPrototypeDelete(headers, name);
    for (const { 0: name, 1: value } of new SafeArrayIterator(set)) HeadersPrototypeSet(headers, name, filledIn(value, parts));
  }
  return response;
}

const isLook = (method) => method === "GET" || method === "HEAD";
/** Whether there is a file, or at a path with a slash at its end a folder with a page. */
const exists = (path) => op_file_before(path, 0, "/", true);

/** Whether the files answer before the Worker, also where there is no file: the configuration lists the Worker's paths. */
const answersWhole = () => ArrayIsArray(settings.runWorkerFirst) && settings.notFoundHandling !== "none";

/** Whether the files answer before the Worker. */
export function isAssetFirst(exchange) {
  if (!isLook(exchange.method) && !answersWhole()) return false;
  const { runWorkerFirst } = settings;
  if (!ArrayIsArray(runWorkerFirst)) return runWorkerFirst !== true;
  const { pathname } = currentUrl(exchange);
  let isWorkerFirst = false;
  for (const pattern of new SafeArrayIterator(runWorkerFirst)) {
    const isException = StringPrototypeStartsWith(pattern, "!");
    if (!fits(isException ? StringPrototypeSlice(pattern, 1) : pattern, pathname)) continue;
    if (isException) return true;
    isWorkerFirst = true;
  }
  return !isWorkerFirst;
}

/** Whether a path has the form of a pattern, in which `*` stands for any text. */
function fits(pattern, pathname) {
  const escaped = ArrayPrototypeMap(
    StringPrototypeSplit(pattern, "*"),
    (part) => StringPrototypeReplace(part, new SafeRegExp("[.+?^${}()|[\\]\\\\]", "g"), "\\$&"),
  );
  return RegExpPrototypeTest(new SafeRegExp(`^${ArrayPrototypeJoin(escaped, ".*")}$`), pathname);
}

/** As {@link resolve}; a path with several slashes in a row has another form. */
function canonical(path) {
  const single = StringPrototypeReplace(path, new SafeRegExp("//+", "g"), "/");
  const found = resolve(single);
  return found === null || single === path ? found : { redirect: found.redirect ?? single };
}

/**
 * The file that a path means: `{ path }` to serve, `{ redirect }` where the path has another form, null if there is none.
 */
function resolve(path) {
  if (ArrayPrototypeIncludes(OWN, path)) return null;
  const html = settings.htmlHandling;
  if (html === "none") return !StringPrototypeEndsWith(path, "/") && isFile(path) ? { path } : null;
  const isFolder = StringPrototypeEndsWith(path, "/");
  const bare = isFolder ? StringPrototypeSlice(path, 0, -1) : path;
  if (StringPrototypeEndsWith(path, "/index.html")) return formOf(StringPrototypeSlice(path, 0, -11), path);
  if (StringPrototypeEndsWith(path, "/index")) {
    const found = formOf(StringPrototypeSlice(path, 0, -6), path);
    if (found !== null) return found;
  }
  if (StringPrototypeEndsWith(path, ".html") && exists(path)) {
    const found = formOf(StringPrototypeSlice(path, 0, -5), path);
    if (found !== null) return found;
  }
  if (!isFolder && isFile(path)) return { path };
  return formOf(bare, path);
}

/** A file, and no folder that has a page. */
function isFile(path) {
  return exists(path) && !exists(`${path}/`);
}

/** The page without its extension, as the setting wants its address; `path` is the one that was asked for. */
function formOf(bare, path) {
  const asFile = `${bare}.html`;
  const asFolder = `${bare}/`;
  const hasFile = bare !== "" && exists(asFile);
  const hasFolder = exists(asFolder);
  if (!hasFile && !hasFolder) return null;
  const served = hasFile && (!hasFolder || path === bare) ? asFile : hasFolder ? asFolder : asFile;
  let wanted;
  switch (settings.htmlHandling) {
    case "force-trailing-slash":
      wanted = asFolder;
      break;
    case "drop-trailing-slash":
      wanted = bare === "" ? "/" : bare;
      break;
    default:
      wanted = hasFile && (path === bare || !hasFolder || path === asFile) ? bare : asFolder;
  }
  return path === wanted ? { path: served } : { redirect: wanted };
}

/**
 * The answer of the files to a request; null if there is none. Where the Worker has no module, or a function asks for it,
 * `notFoundHandling` makes one.
 * @param {Request | null} [request] where it is not the exchange's own
 */
export async function answerByAssets(exchange, request = null) {
  const own = currentUrl(exchange);
  const { pathname, search } = request === null ? own : partsOf(new URL(RequestPrototypeGetUrl(request)));
  const method = request === null ? exchange.method : RequestPrototypeGetMethod(request);
  if (!isLook(method)) return null;
  const redirect = redirectFor(pathname);
  if (redirect !== null && redirect.status !== 200) {
    const query = search === "" || StringPrototypeIncludes(redirect.to, "?") ? "" : search;
    return new Response(null, { status: redirect.status, headers: { Location: `${redirect.to}${query}` } });
  }
  const found = canonical(redirect === null ? pathname : redirect.to);
  if (found === null) return null;
  if (found.redirect !== undefined) {
    const response = new Response(null, { status: 307, headers: { Location: `${found.redirect}${search}` } });
    return withRules(response, pathname);
  }
  const response = await staticResponse(exchange, found.path, method, pathname !== own.pathname);
  const status = ResponsePrototypeGetStatus(response);
  // A folder without a page has an address, but nothing to show.
  return status === 404 || status === 301 ? null : withHeaders(response, pathname);
}

/** The answer to a path that is no file, by `notFoundHandling`; null if that makes none. */
export async function missingAsset(exchange, method, pathname) {
  if (!isLook(method)) return null;
  const isPages = settings.notFoundHandling === "pages";
  const hasErrorPage = settings.notFoundHandling === "404-page" || (isPages && exists("/404.html"));
  if (settings.notFoundHandling === "single-page-application" || (isPages && !hasErrorPage)) {
    return await opened(exchange, "/index.html", method, 200);
  }
  if (!hasErrorPage) return null;
  for (let folder = pathname;;) {
    const end = StringPrototypeLastIndexOf(folder, "/");
    if (end === -1) return null;
    folder = StringPrototypeSlice(folder, 0, end);
    const page = await opened(exchange, `${folder}/404.html`, method, 404);
    if (page !== null) return page;
  }
}

async function opened(exchange, path, method, status) {
  if (!exists(path)) return null;
  const response = await staticResponse(exchange, path, method, true);
  const found = ResponsePrototypeGetStatus(response);
  if (found === 404) return null;
  if (status === found) return withHeaders(response, path);
  return new Response(ResponsePrototypeGetBody(response), { status, headers: ResponsePrototypeGetHeaders(response) });
}

/** The answer to a request for no file, where that comes before the Worker; null for all else. */
export async function pageBeforeWorker(exchange) {
  if (!answersWhole()) {
    if (!prefersPages || settings.notFoundHandling === "none") return null;
    if (op_request_header(exchange.id, "sec-fetch-mode") !== "navigate") return null;
  } else if (!isLook(exchange.method)) {
    return new Response(null, { status: 405 });
  }
  return await missingAsset(exchange, exchange.method, currentUrl(exchange).pathname);
}

/** `env.ASSETS`. */
export class AssetsBinding {
  async fetch(target, init = undefined) {
    const request = new Request(target, init);
    const exchange = currentExchange();
    if (exchange === undefined) {
      throw new Error("ASSETS.fetch() is called while no request is answered, so it has nobody to read files for.");
    }
    return await followRedirects(request, (request) => answerOf(exchange, request));
  }
}

async function answerOf(exchange, request) {
  const method = RequestPrototypeGetMethod(request);
  if (!isLook(method)) return new Response(null, { status: 405 });
  const { pathname } = partsOf(new URL(RequestPrototypeGetUrl(request)));
  const found = await answerByAssets(exchange, request) ?? await missingAsset(exchange, method, pathname);
  return found ?? new Response("Not Found\n", { status: 404 });
}

