// What a cookie may be (RFC 6265bis, CHIPS). A browser silently drops one that breaks these rules, so a call that sets
// it is told.

import {
  ArrayPrototypeIncludes,
  Boolean,
  Date,
  DatePrototypeGetTime,
  encodeURIComponent,
  MathTrunc,
  Number,
  NumberIsFinite,
  ObjectKeys,
  RegExpPrototypeTest,
  SafeArrayIterator,
  SafeRegExp,
  String,
  StringPrototypeSlice,
  StringPrototypeStartsWith,
  StringPrototypeToLowerCase,
  TypeError,
} from "../primordials.js";

/**
 * @typedef {object} CookieOptions
 * @property {string} value
 * @property {string} [path] `/` by default
 * @property {string} [domain]
 * @property {number} [maxAge] seconds
 * @property {Date | string | number} [expires]
 * @property {boolean} [httpOnly]
 * @property {boolean} [secure]
 * @property {"Strict" | "Lax" | "None"} [sameSite]
 * @property {boolean} [partitioned]
 */

const OPTIONS = [
  "domain",
  "expires",
  "httpOnly",
  "maxAge",
  "name",
  "partitioned",
  "path",
  "sameSite",
  "secure",
  "value",
];
const NAME = new SafeRegExp(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
const PATH = new SafeRegExp(/^\/[ -:<-~]*$/);
const DOMAIN = new SafeRegExp(/^[0-9a-z-]+(\.[0-9a-z-]+)*$/i);
const SAME_SITES = { __proto__: null, strict: "Strict", lax: "Lax", none: "None" };
/** Prefixes of names, with what they promise: [from this host alone, not readable by scripts]. */
const PREFIXES = [
  ["__host-http-", true, true],
  ["__http-", false, true],
  ["__host-", true, false],
  ["__secure-", false, false],
];
/** Bytes of a name and its value, and of an attribute, beyond which browsers drop them. */
const MAX_PAIR = 4096;
const MAX_ATTRIBUTE = 1024;

/**
 * The cookie that `set(name, value)`, `set(name, options)`, `set(name, value, options)` or `set(options)` is about: by
 * the rules, with what they say of it. `value` is escaped, `expires` a time in milliseconds, what is absent undefined.
 */
export function cookieToSet(name, value, options) {
  const given = { __proto__: null };
  if (isObject(name)) take(given, name);
  else {
    given.name = String(name);
    if (isObject(value)) take(given, value, "name");
    else given.value = value;
    if (options !== undefined && options !== null) take(given, options, "name", "value");
  }
  return checked(given);
}

/** The cookie that `delete(name)`, `delete(name, options)` or `delete(options)` takes away. */
export function cookieToDelete(name, options) {
  const given = { __proto__: null };
  if (isObject(name)) take(given, name);
  else {
    given.name = String(name);
    if (options !== undefined && options !== null) take(given, options, "name");
  }
  return checked({ ...given, __proto__: null, value: "", maxAge: 0, expires: undefined });
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

/** Takes options over. Null says nothing, as in a CookieStore. */
function take(given, options, ...except) {
  if (!isObject(options)) throw new TypeError(`A cookie's options are an object, not ${String(options)}.`);
  for (const key of new SafeArrayIterator(ObjectKeys(options))) {
    if (!ArrayPrototypeIncludes(OPTIONS, key)) {
      throw new TypeError(`A cookie has no "${key}". It can have value, path, domain, maxAge, expires, httpOnly, secure, ` +
        "sameSite and partitioned.");
    }
    if (options[key] !== null && !ArrayPrototypeIncludes(except, key)) given[key] = options[key];
  }
}

function checked({ name, value, path = "/", domain, maxAge, expires, httpOnly, secure, sameSite, partitioned = false }) {
  if (typeof name !== "string" || !RegExpPrototypeTest(NAME, name)) {
    throw new TypeError(`"${String(name)}" cannot name a cookie: letters, digits and !#$%&'*+-.^_\`|~ can.`);
  }
  const wrong = (why) => new TypeError(`The cookie "${name}" ${why}`);
  if (value === undefined || value === null || typeof value === "object" || typeof value === "function") {
    throw wrong("needs a value: a text, or what is easily made one. Objects go into JSON.stringify().");
  }
  value = escaped(String(value), wrong);
  if (name.length + value.length > MAX_PAIR) {
    throw wrong(`is too long: browsers keep ${MAX_PAIR} bytes of a name and its escaped value.`);
  }
  path = String(path);
  if (!RegExpPrototypeTest(PATH, path) || path.length > MAX_ATTRIBUTE) {
    throw wrong(`cannot have the path "${path}": it begins with "/" and is ASCII without ";".`);
  }
  if (domain !== undefined) {
    domain = String(domain);
    if (StringPrototypeStartsWith(domain, ".")) domain = StringPrototypeSlice(domain, 1);
    if (!RegExpPrototypeTest(DOMAIN, domain) || domain.length > 253) {
      throw wrong(`cannot have the domain "${domain}": it is a host's name, without a scheme and a port.`);
    }
  }
  if (maxAge !== undefined) {
    maxAge = Number(maxAge);
    if (!NumberIsFinite(maxAge)) throw wrong("needs a maxAge that is a number of seconds.");
    maxAge = MathTrunc(maxAge);
  }
  if (expires !== undefined) {
    expires = DatePrototypeGetTime(new Date(expires));
    // The year has four digits.
    if (!(expires > -62167219200000 && expires < 253402300800000)) {
      throw wrong("needs an expires that is a date: a Date, its text or its number of milliseconds.");
    }
  }
  const site = sameSite === undefined ? (partitioned ? "None" : "Lax") : SAME_SITES[lower(sameSite)];
  if (site === undefined) throw wrong(`cannot have the sameSite "${String(sameSite)}": it is Strict, Lax or None.`);
  const promise = promiseOf(name);
  // Each of these means that it travels by TLS alone.
  const why = promise !== null
    ? `its name begins with ${promise.prefix}`
    : partitioned
    ? "it is partitioned"
    : site === "None"
    ? "its sameSite is None"
    : null;
  if (why !== null && secure !== undefined && !secure) throw wrong(`has to be secure, because ${why}.`);
  if (promise?.isOfHost && (path !== "/" || domain !== undefined)) {
    throw wrong(`has the path "/" and no domain, because its name begins with ${promise.prefix}.`);
  }
  if (promise?.isHidden && httpOnly !== undefined && !httpOnly) {
    throw wrong(`has to be httpOnly, because its name begins with ${promise.prefix}.`);
  }
  return {
    name,
    value,
    path,
    domain,
    maxAge,
    expires,
    httpOnly: Boolean(httpOnly ?? promise?.isHidden),
    secure: Boolean(secure ?? why !== null),
    sameSite: site,
    partitioned: Boolean(partitioned),
  };
}

function lower(text) {
  return StringPrototypeToLowerCase(String(text));
}

function promiseOf(name) {
  const folded = lower(name);
  for (const { 0: prefix, 1: isOfHost, 2: isHidden } of new SafeArrayIterator(PREFIXES)) {
    if (!StringPrototypeStartsWith(folded, prefix)) continue;
    return { prefix: StringPrototypeSlice(name, 0, prefix.length), isOfHost, isHidden };
  }
  return null;
}

/** A value without what a cookie cannot hold. Who reads a cookie here undoes it. */
function escaped(value, wrong) {
  try {
    return encodeURIComponent(value);
  } catch {
    throw wrong("has a value with half of a surrogate pair, which is no text.");
  }
}
