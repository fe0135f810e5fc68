// Values as JSON that keeps their types, and errors as values.

/** A value of any type as a JSON value. */
export function show(value, seen = new Set()) {
  if (value === undefined) return { undefined: true };
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0) ? value : { number: Object.is(value, -0) ? "-0" : String(value) };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (typeof value === "function") return { function: true };
  if (typeof value === "symbol") return { symbol: String(value) };
  if (seen.has(value)) return { seen: true };
  seen.add(value);
  const inner = (it) => show(it, seen);
  if (value instanceof Date) return { date: Number.isNaN(value.getTime()) ? "invalid" : value.toISOString() };
  if (value instanceof Map) return { map: [...value].map(([key, it]) => [inner(key), inner(it)]) };
  if (value instanceof Set) return { set: [...value].map(inner) };
  if (value instanceof RegExp) return { regexp: String(value) };
  if (value instanceof Error) return failure(value);
  if (value instanceof ArrayBuffer) return { buffer: hex(new Uint8Array(value)) };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  if (Array.isArray(value)) return value.map(inner);
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, inner(it)]));
}

function hex(bytes) {
  return [...bytes.slice(0, 64)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function failure(error, withMessage = true) {
  const name = error?.name ?? typeof error;
  return withMessage ? { threw: name, message: String(error?.message ?? error) } : { threw: name };
}

/** The result, or the kind of the error: where its text is each host's own. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return failure(error, false);
  }
}

/** The result, or the error with its message: where code depends on the text. */
export async function exactly(work) {
  try {
    return await work();
  } catch (error) {
    return failure(error);
  }
}

/** Answers with what the function for the last part of the path returns. */
export async function answer(cases, name, ...given) {
  const found = cases[name];
  if (!found) return new Response(`there is no case ${name}`, { status: 404 });
  try {
    return Response.json(show(await found(...given)));
  } catch (error) {
    console.error(error);
    return Response.json({ uncaught: failure(error) }, { status: 400 });
  }
}
