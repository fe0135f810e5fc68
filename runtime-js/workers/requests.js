// Requests of Workers: their methods.

import { core } from "ext:core/mod.js";
import { SafeSet, StringPrototypeToUpperCase } from "../primordials.js";

/** The methods that Cloudflare knows, in any case. */
const METHODS = new SafeSet([
  "ACL",
  "BAN",
  "CHECKOUT",
  "COPY",
  "DELETE",
  "GET",
  "HEAD",
  "LOCK",
  "MERGE",
  "MKACTIVITY",
  "MKCOL",
  "MOVE",
  "MSEARCH",
  "NOTIFY",
  "OPTIONS",
  "PATCH",
  "POST",
  "PROPFIND",
  "PROPPATCH",
  "PURGE",
  "PUT",
  "QUERY",
  "REPORT",
  "SEARCH",
  "SUBSCRIBE",
  "UNLOCK",
  "UNSUBSCRIBE",
]);

/** Takes known methods in any case; the web does so with six of them. */
export function useMethodsInAnyCase() {
  const { converters } = core.loadExtScript("ext:deno_webidl/00_webidl.js");
  core.loadExtScript("ext:deno_fetch/23_request.js");
  const { RequestInit: convert } = converters;
  converters.RequestInit = (value, prefix, context, options) => {
    const init = convert(value, prefix, context, options);
    if (init.method === undefined) return init;
    const method = StringPrototypeToUpperCase(init.method);
    if (METHODS.has(method)) init.method = method;
    return init;
  };
}
