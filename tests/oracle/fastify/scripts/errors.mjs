export const application = "errors";

const each = (prefix, names) => async (t) => {
  for (const name of names) await t.get(`${prefix}/${name}`);
};

export const scripts = {
  "errors have an envelope": each("", ["throw", "reject", "status", "status-alias", "code", "type-error", "no-message"]),
  "the status of an error": each("", ["status-of-reply", "low-status", "odd-status", "headers"]),
  "what is thrown and is no error": each("", ["string", "object", "null", "undefined"]),
  "errors that are sent and returned": each("", ["send", "return", "header-kept"]),
  "error handlers of contexts": each("/handled", ["throw", "plain", "inner/throw", "inner/deepest", "route"]),
  "an error handler sees errors of the body": async (t) => {
    await t.request("POST", "/handled/body", { headers: { "content-type": "application/json" }, body: "{" });
    await t.request("POST", "/handled/body", { headers: { "content-type": "a/b" }, body: "x" });
  },
  "an error handler that returns": each("/returning", ["", "hook", "serialize"]),
  "an error handler that answers nothing": each("/empty-handler", [""]),
  "nobody serves the path": async (t) => {
    await t.get("/nowhere");
    await t.get("/nowhere?query=1");
    await t.request("POST", "/nowhere", { headers: { "content-type": "application/json" }, body: "{}" });
    await t.request("DELETE", "/throw");
    await t.request("HEAD", "/nowhere");
    await t.request("OPTIONS", "/throw");
    await t.get("/not-here");
  },
  "not-found handlers of prefixes": each("/lost", ["found", "nothing", "call", "deeper/nothing", "deeper/call", "", "%zz"]),
  "handlers that are refused": each("", ["refused"]),
  "errors after the answer": each("", ["sent-then-throws", "sent-then-rejects", "undefined-answer"]),
};
