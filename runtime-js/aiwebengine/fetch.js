// The two kinds of `fetch()`: the web's, and the one of scripts that use its result as a string at once.

import { op_fetch_blocking } from "ext:core/ops";
import {
  ArrayPrototypePush,
  fetch,
  HeadersPrototypeEntries,
  Headers,
  JSONParse,
  JSONStringify,
  ObjectEntries,
  SafeArrayIterator,
  SafeRegExp,
  String,
  StringPrototypeReplace,
  TypeError,
} from "ext:liveline/primordials.js";
import { secretOf } from "ext:liveline_aiwebengine/storage.js";

const SECRET = new SafeRegExp("\\{\\{secret:([^}]+)\\}\\}", "g");

/** A header with the values of the secrets that it names. A value names none. */
function withSecrets(text) {
  return StringPrototypeReplace(text, SECRET, (_, name) => {
    const value = secretOf(name);
    if (value === null) throw new TypeError(`fetch(): there is no secret named "${name}"; secretStorage.setSecret() or a variable of the environment sets it.`);
    return value;
  });
}

function headersOf(headers) {
  const list = [];
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(headers ?? {}))) {
    ArrayPrototypePush(list, [name, withSecrets(String(value))]);
  }
  return list;
}

/** Returns `{status, ok, headers, body}` as JSON. Nothing else of the isolate runs meanwhile. */
export function blockingFetch(url, options = undefined) {
  const { method = "GET", headers, body } = typeof options === "string" ? JSONParse(options) : options ?? {};
  const text = body === undefined || body === null ? null : typeof body === "string" ? body : JSONStringify(body);
  const answer = op_fetch_blocking(String(url), String(method), headersOf(headers), text);
  const all = {};
  for (const { 0: name, 1: value } of new SafeArrayIterator(answer.headers)) all[name] = value;
  const { status } = answer;
  return JSONStringify({ status, ok: status >= 200 && status < 300, headers: all, body: answer.body });
}

/** The web's `fetch()`, with secrets in headers. */
export function webFetch(input, init = undefined) {
  if (init?.headers === undefined) return fetch(input, init);
  const headers = [];
  for (const { 0: name, 1: value } of new SafeArrayIterator(HeadersPrototypeEntries(new Headers(init.headers)))) {
    ArrayPrototypePush(headers, [name, withSecrets(value)]);
  }
  return fetch(input, { ...init, headers });
}
