export const application = "sensible";

const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};
const NAMES = ["badRequest", "unauthorized", "paymentRequired", "forbidden", "notFound", "methodNotAllowed", "conflict", "gone", "payloadTooLarge", "unsupportedMediaType", "imateapot", "unprocessableEntity", "tooManyRequests", "internalServerError", "notImplemented", "badGateway", "serviceUnavailable", "gatewayTimeout", "insufficientStorage"];

export const scripts = {
  "errors of the instance": get(...NAMES.map((name) => `/instance/${name}`)),
  "errors of the reply": get(...NAMES.map((name) => `/reply/${name}`)),
  "errors without a message": get("/bare/notFound", "/bare/internalServerError", "/bare-reply/conflict", "/bare-reply/serviceUnavailable"),
  "errors by code": get("/code/404", "/code/451", "/reply-code/409", "/create", "/names"),
  "assertions and to": get("/assert?ok=1", "/assert", "/assert?ok=1&n=2", "/to"),
  "caches": get("/vary", "/cache", "/prevent", "/revalidate", "/static", "/stale", "/max-age"),
  "proxies and types": async (t) => {
    await t.get("/forwarded", { "x-forwarded-for": "1.2.3.4, 5.6.7.8" });
    await t.request("POST", "/is", { headers: { "content-type": "application/json" }, body: "{}" });
    await t.request("POST", "/is", { headers: { "content-type": "text/plain" }, body: "x" });
  },
  "the schema of errors": get("/schema", "/with-schema"),
};
