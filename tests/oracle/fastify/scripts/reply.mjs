export const application = "reply";

const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(`/${path}`);
};

export const scripts = {
  "values that are returned": get("object", "array", "string", "empty-string", "number", "true", "null", "date", "map", "class", "unicode"),
  "values that are sent": get("zero", "false", "send-nothing", "send-null", "function", "symbol", "object-as-stream"),
  "bytes": get("buffer", "typed-array", "array-buffer", "float-array"),
  "streams": get("stream", "stream-typed", "stream-length", "stream-returned", "stream-later", "stream-fails"),
  "streams and responses of the web": get("web-stream", "web-response", "web-response-json"),
  "types": get("object-with-type", "string-as-json", "json-suffix", "json-charset", "type/text-plain", "type/text-html", "type/image-png", "type/application-json"),
  "status": get("status", "status-set", "status-text", "no-content", "no-content-body", "not-modified", "undefined-204"),
  "status that is refused": get(...[99, 600, 1000, "abc"].map((it) => `bad-status/${it}`)),
  "headers": get("headers", "cookies", "header-list", "header-twice", "header-bad", "content-length"),
  "redirects": get("redirect", "redirect-code", "redirect-kept", "redirect-unicode"),
  "raw answers": get("hijack", "raw-end", "raw-header"),
  "sending more than once": get("sent", "twice", "return-and-send"),
  "sending later": get("await-reply", "callback-later", "then"),
  "trailers and the rest": get("trailer", "elapsed", "early-hints", "request", "not-found"),
  "HEAD of all kinds": async (t) => {
    for (const path of ["object", "string", "stream", "buffer", "null", "redirect", "no-content"]) await t.request("HEAD", `/${path}`);
  },
  "a large answer": async (t) => {
    await t.request("GET", "/large", { brief: true });
  },
};
