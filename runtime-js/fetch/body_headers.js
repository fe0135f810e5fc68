// The headers that describe a body. A request or a response that loses its body loses them, too.

import { ArrayPrototypeFilter, ArrayPrototypeIncludes } from "../primordials.js";

/** As in Fetch, section 4.4, and the length. */
export const BODY_HEADERS = ["content-encoding", "content-language", "content-length", "content-location", "content-type"];

/** Headers without those of a body. @param {[string, string][]} headers with names in lower case */
export function withoutBodyHeaders(headers) {
  return ArrayPrototypeFilter(headers, ({ 0: name }) => !ArrayPrototypeIncludes(BODY_HEADERS, name));
}
