export const application = "failures";

const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};
const logged = (path, headers = {}) => async (t) => {
  await t.get(path, headers);
  await t.get("/log");
};

export const scripts = {
  "serializers that give no text": get(...["number", "object", "nothing", "null", "boolean", "promise", "throws", "buffer", "circular", "bigint"].map((name) => `/serializer/${name}`)),
  "streams that fail before their first bytes": get("/web/at-once", "/web/response", "/node/at-once", "/node/own"),
  "formatters of errors of schemas": async (t) => {
    await t.request("POST", "/formatter?n=1", { body: {} });
    await t.request("POST", "/formatter?n=x", { body: { a: 1 } });
    await t.request("POST", "/formatter?n=1", { body: { a: 1 } });
  },
  "callNotFound in its own handler": logged("/inner/loop"),
  "onSend that throws once": logged("/send", { "x-fail": "once" }),
  "onSend that throws always": logged("/send", { "x-fail": "always" }),
  "onSend that gives a number": logged("/send", { "x-fail": "type" }),
  "onSend of an error": logged("/send/error"),
  "error handlers": async (t) => {
    for (const again of ["", "?again=throw", "?again=reject", "?again=value"]) await logged(`/handled${again}`)(t);
    for (const path of ["/handled/twice", "/handled/serializer", "/handled/text", "/handled/null"]) await logged(path)(t);
  },
  "promises of handlers": get("/promise/rejects-undefined", "/promise/never-sends", "/promise/reply"),
  "codes that are none": get(...["none", "99", "600", "\"204\"", "\"abc\"", "1.5", "0", "null"].map((code) => `/code/${encodeURIComponent(code)}`)),
  "values that are sent": get(...["number", "boolean", "symbol", "array", "date", "map", "fn", "view", "buffer", "view16"].map((kind) => `/send/${kind}`)),
};
