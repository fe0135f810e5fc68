// Fastify with its plugins, as `fastify start` runs a tree of them.

export default {
  /** The driver in hosts/. */
  real: "fastify",
  /** Bodies count letter by letter, those of errors as well: clients read the envelope of an error. */
  exact: true,
  /** The headers of answers that are compared, besides all `x-` headers. */
  headers: [
    "content-type",
    "content-length",
    "content-encoding",
    "content-disposition",
    "location",
    "allow",
    "set-cookie",
    "cache-control",
    "expires",
    "pragma",
    "vary",
    "etag",
    "last-modified",
    "retry-after",
    "trailer",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-expose-headers",
    "access-control-max-age",
    "surrogate-control",
    "sec-websocket-protocol",
    "sec-websocket-version",
  ],
};
