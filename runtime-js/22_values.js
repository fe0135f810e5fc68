// What a handler's result or a Response's body stands for: data, text, bytes.

export const EMPTY = 0;
export const JSON_BODY = 1;
export const TEXT_BODY = 2;

/** A body on the line: JSON, and nothing that JSON cannot say. An error names the place, `place` being the value's. */
export function encodeJson(value, what, place = "$") {
  try {
    return JSON.stringify(value);
  } catch (error) {
    const culprit = findCulprit(value, place, new Map());
    throw new TypeError(`${what} cannot be sent as JSON: ${culprit ?? error.message}`, { cause: error });
  }
}

/** Says where JSON fails, or null where it is not for a BigInt or a cycle. */
function findCulprit(value, path, above) {
  if (typeof value === "bigint") return `${path} is a BigInt; send it as a string.`;
  if (value === null || typeof value !== "object" || typeof value.toJSON === "function") return null;
  if (above.has(value)) return `${path} leads back to ${above.get(value)}, a circular structure.`;
  // What is nested deeper than this has no path that anyone would read.
  if (above.size > 256) return null;
  above.set(value, path);
  for (const key of Object.keys(value)) {
    const culprit = findCulprit(value[key], `${path}.${key}`, above);
    if (culprit !== null) return culprit;
  }
  above.delete(value);
  return null;
}

/** JSON, text, nothing, or -1 for what `Response` has its own way of sending. */
export function plainKind(body) {
  if (body === undefined || body === null) return EMPTY;
  switch (typeof body) {
    case "string":
      return TEXT_BODY;
    case "function":
    case "symbol":
      throw new TypeError(`A handler cannot answer with a ${typeof body}.`);
    case "object":
      return isPlain(body) ? JSON_BODY : -1;
    default:
      return JSON_BODY;
  }
}

/** Data, as opposed to bytes, streams and forms. */
export function isPlain(value) {
  if (value === null || typeof value !== "object") return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null || Array.isArray(value)) return true;
  return !(ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Blob ||
    value instanceof ReadableStream || value instanceof FormData || value instanceof URLSearchParams);
}

/** A Response that carries `body`. */
export function responseOf(body, { status, statusText, headers }) {
  const kind = plainKind(body);
  if (kind === EMPTY) return new Response(null, { status, statusText, headers });
  if (kind !== JSON_BODY) return new Response(body, { status, statusText, headers });
  const all = new Headers(headers);
  if (!all.has("content-type")) all.set("content-type", "application/json");
  return new Response(encodeJson(body, "The response's body"), { status, statusText, headers: all });
}

/** The value that a Response's body stands for. */
export async function valueOf(response) {
  const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  if (response.body === null) return null;
  if (type === "application/json" || type.endsWith("+json")) return await response.json();
  if (type === "multipart/form-data" || type === "application/x-www-form-urlencoded") {
    return Object.fromEntries(await response.formData());
  }
  if (type.startsWith("text/") || type === "" || /xml$|javascript$/.test(type)) return await response.text();
  if (/^(image|audio|video|application)\//.test(type)) return await response.blob();
  return new Uint8Array(await response.arrayBuffer());
}

/** The init of a response that leads to `url`, from a status or an init. */
export function redirectTo(url, init) {
  const { status = 302, headers, ...rest } = typeof init === "number" ? { status: init } : init;
  const all = new Headers(headers);
  all.set("Location", String(url));
  return { ...rest, status, headers: all };
}
