// event.url: a URL that can also be read as a list of segments and a tree of query parameters.

import { readFormsBy } from "../answer/values.js";
import { nest } from "../form/nested_keys.js";
import {
  ArrayPrototypeAt,
  ArrayPrototypeFilter,
  ArrayPrototypeJoin,
  ArrayPrototypeSlice,
  ObjectFreeze,
  StringPrototypeSplit,
  URL,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
  URLSearchParams,
  URLSearchParamsPrototypeEntries,
} from "../primordials.js";

// Forms that are states are read like queries.
readFormsBy((entries) => nest(entries));

let EventURL = null;

/** A URL with the parts below. @returns {URL} */
export function eventUrl(href) {
  EventURL ??= defineClass();
  return new EventURL(href);
}

/** The class is made when it is first wanted: the one that it extends is there by then. */
function defineClass() {
  return class URLPlus extends URL {
    /** The segments of the path, escapes untouched. The list is frozen; the URL's `pathname` may be set. */
    get segments() {
      return ObjectFreeze(segmentsOf(this));
    }

    /** The path without its last segment. */
    get dirname() {
      const segments = segmentsOf(this);
      return segments.length === 0 ? "" : `/${ArrayPrototypeJoin(ArrayPrototypeSlice(segments, 0, -1), "/")}`;
    }

    /** The last segment. */
    get basename() {
      return ArrayPrototypeAt(segmentsOf(this), -1) ?? "";
    }

    /**
     * The query's values by name, as texts: `?a=1&a=2` is a list, `?user[name]=Ann` an object in the object. It is
     * frozen; the URL's `searchParams` may be changed.
     */
    get query() {
      return nest(URLSearchParamsPrototypeEntries(new URLSearchParams(URLPrototypeGetSearch(this))), true);
    }
  };
}

function segmentsOf(url) {
  return ArrayPrototypeFilter(StringPrototypeSplit(URLPrototypeGetPathname(url), "/"), (segment) => segment !== "");
}
