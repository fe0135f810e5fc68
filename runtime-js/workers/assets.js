// The static files of a Worker: which file a path means, what happens where there is none, and the binding ASSETS.

import { op_file_before } from "ext:core/ops";
import { currentExchange } from "../exchange.js";
import { followRedirects } from "../fetch/redirects.js";
import { staticResponse } from "../files.js";
import { currentUrl, partsOf } from "./url.js";
import {
  ArrayIsArray,
  ArrayPrototypeIncludes,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  Error,
  HeadersPrototypeDelete,
  HeadersPrototypeGet,
  HeadersPrototypeSet,
  ObjectAssign,
  RegExpPrototypeExec,
  RegExpPrototypeTest,
  Request,
  RequestPrototypeGetMethod,
  RequestPrototypeGetUrl,
  Response,
  ResponsePrototypeGetBody,
  ResponsePrototypeGetHeaders,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  SafeRegExp,
  SafeSet,
  StringPrototypeEndsWith,
  StringPrototypeIncludes,
  StringPrototypeLastIndexOf,
  StringPrototypeReplace,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  URL,
} from "../primordials.js";
import { op_request_header } from "ext:core/ops";

/** How wrangler serves files where the configuration has no other way. */
let settings = { htmlHandling: "auto-trailing-slash", notFoundHandling: "none", runWorkerFirst: false };
/** Whether a page that is navigated to, and is no file, is answered without the Worker. */
let prefersPages = false;

/** Rules of the files `_headers` and `_redirects`. */
let headerRules = [], redirectRules = [];
/** The patterns of paths that the Worker answers first. @type {{ isException: boolean, fits: RegExp }[]} */
let workerFirst = [];

/** Which paths code answers, by `_routes.json` of Pages: all where there is none. @type {{ include: RegExp[], exclude: RegExp[] } | null} */
let codeRoutes = null;

export function configureAssets({ assets, headers, redirects, routes }, prefers) {
  settings = ObjectAssign({}, settings, assets);
  headerRules = ArrayPrototypeMap(headers ?? [], ({ path, ...rule }) => ({ ...rule, pattern: new PathPattern(path) }));
  redirectRules = ArrayPrototypeMap(redirects ?? [], ({ from, ...rule }) => ({ ...rule, pattern: new PathPattern(from) }));
  const { runWorkerFirst } = settings;
  workerFirst = !ArrayIsArray(runWorkerFirst) ? [] : ArrayPrototypeMap(runWorkerFirst, (pattern) => {
    const isException = StringPrototypeStartsWith(pattern, "!");
    return { isException, fits: wildcard(isException ? StringPrototypeSlice(pattern, 1) : pattern) };
  });
  prefersPages = prefers;
  codeRoutes = routes === undefined || routes === null ? null : {
    include: ArrayPrototypeMap(routes.include, routeOf),
    exclude: ArrayPrototypeMap(routes.exclude, routeOf),
  };
}

/** What paths a rule of `_routes.json` is for: `/a/*` has `/a`, too, and other rules paths with a slash at the end. */
function routeOf(rule) {
  if (rule === "/" || rule === "/*") return wildcard(rule);
  if (StringPrototypeEndsWith(rule, "/*")) return wildcard(StringPrototypeSlice(rule, 0, -2), "(?:/.*)?");
  if (StringPrototypeEndsWith(rule, "*")) return wildcard(rule);
  return wildcard(StringPrototypeEndsWith(rule, "/") ? StringPrototypeSlice(rule, 0, -1) : rule, "/?");
}

/** Whether `_routes.json` leaves a request to the code, and not to the files alone. */
export function isForCode(exchange) {
  if (codeRoutes === null) return true;
  const { pathname } = currentUrl(exchange);
  const fits = (route) => RegExpPrototypeTest(route, pathname);
  return !ArrayPrototypeSome(codeRoutes.exclude, fits) && ArrayPrototypeSome(codeRoutes.include, fits);
}

/** Files that are about the others. */
const OWN = ["/_headers", "/_redirects", "/_worker.js", "/_routes.json", "/.assetsignore"];

/** A text as a regular expression has it, but for its stars. */
function escaped(text) {
  return StringPrototypeReplace(text, new SafeRegExp("[.+?^${}()|[\\]\\\\]", "g"), "\\$&");
}

/** What a path fits that has the form of a pattern, in which `*` stands for any text, and of an expression after it. */
function wildcard(pattern, rest = "") {
  return new SafeRegExp(`^${StringPrototypeReplace(escaped(pattern), new SafeRegExp("\\*", "g"), ".*")}${rest}$`);
}

/** The form of paths that a rule is for: `*` is any text, named `splat`, and `:name` one segment. */
class PathPattern {
  #names = [];
  #expression;

  constructor(pattern) {
    const source = StringPrototypeReplace(escaped(pattern), new SafeRegExp("\\*|:[A-Za-z]\\w*", "g"), (mark) => {
      ArrayPrototypePush(this.#names, mark === "*" ? "splat" : StringPrototypeSlice(mark, 1));
      return mark === "*" ? "(.*)" : "([^/]+)";
    });
    this.#expression = new SafeRegExp(`^${source}$`);
  }

  /** The parts of a path by name; null if it does not fit. */
  partsOf(pathname) {
    const found = RegExpPrototypeExec(this.#expression, pathname);
    if (found === null) return null;
    const parts = { __proto__: null };
    for (let i = 0; i < this.#names.length; i++) parts[this.#names[i]] = found[i + 1];
    return parts;
  }
}

/** A text with the parts of a path in place of their names. */
function filledIn(text, parts) {
  return StringPrototypeReplace(text, new SafeRegExp(":[A-Za-z]\\w*", "g"), (mark) => parts[StringPrototypeSlice(mark, 1)] ?? mark);
}

/** Where `_redirects` leads from a path: `{ to, status }`, or null. */
function redirectFor(pathname) {
  for (const { pattern, to, status } of new SafeArrayIterator(redirectRules)) {
    const parts = pattern.partsOf(pathname);
    if (parts !== null) return { to: filledIn(to, parts), status };
  }
  return null;
}

/** Sets the headers of a file: those that all files have, then those of `_headers`. */
function withHeaders(response, pathname) {
  HeadersPrototypeSet(ResponsePrototypeGetHeaders(response), "Cache-Control", "public, max-age=0, must-revalidate");
  return withRules(response, pathname);
}

/** Sets the headers that `_headers` has for a path. What several rules set is joined, as by Cloudflare. */
function withRules(response, pathname) {
  const headers = ResponsePrototypeGetHeaders(response);
  const isSet = new SafeSet();
  for (const { pattern, set, unset } of new SafeArrayIterator(headerRules)) {
    const parts = pattern.partsOf(pathname);
    if (parts === null) continue;
    for (const name of new SafeArrayIterator(unset)) {
      HeadersPrototypeDelete(headers, name);
      isSet.delete(StringPrototypeToLowerCase(name));
    }
    for (const { 0: name, 1: value } of new SafeArrayIterator(set)) {
      const known = StringPrototypeToLowerCase(name);
      const before = isSet.has(known) ? `${HeadersPrototypeGet(headers, name)}, ` : "";
      HeadersPrototypeSet(headers, name, before + filledIn(value, parts));
      isSet.add(known);
    }
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
  for (const { isException, fits } of new SafeArrayIterator(workerFirst)) {
    if (!RegExpPrototypeTest(fits, pathname)) continue;
    if (isException) return true;
    isWorkerFirst = true;
  }
  return !isWorkerFirst;
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

