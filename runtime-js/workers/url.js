// The address of a request, for code of the host.

import {
  URL,
  URLPrototypeGetHref,
  URLPrototypeGetPathname,
  URLPrototypeGetSearch,
} from "../primordials.js";

/** The parts of the address that an exchange has. */
export function currentUrl(exchange) {
  return partsOf(new URL(exchange.url));
}

/** The parts of an address. */
export function partsOf(url) {
  return {
    href: URLPrototypeGetHref(url),
    pathname: URLPrototypeGetPathname(url),
    search: URLPrototypeGetSearch(url),
  };
}
