// Workers and Durable Objects: workerd, as wrangler starts it.

export default {
  /** The driver in hosts/. */
  real: "workerd",
  /** The headers of answers that are compared, besides all `x-` headers. */
  headers: ["content-type", "location", "allow", "set-cookie", "cache-control", "vary", "etag", "access-control-allow-origin"],
};
