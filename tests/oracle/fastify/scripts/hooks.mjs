export const application = "hooks";

const json = { "content-type": "application/json" };
const STEPS = ["onRequest", "preParsing", "preValidation", "preHandler"];

const follow = (name, method, path, options = {}) => async (t) => {
  await t.request(method, path, { ...options, headers: { ...options.headers, "x-log": name } });
  await t.until(async () => (await t.ask("GET", `/log/${name}`)).text.includes("onResponse 2"), "the end of the hooks");
  await t.get(`/log/${name}`);
};

export const scripts = {
  "hooks of a request with a body": follow("echo", "POST", "/all/echo", { headers: json, body: '{"a":1}' }),
  "hooks of an answer of text": follow("plain", "GET", "/all/plain"),
  "hooks of a handler that fails": follow("fails", "GET", "/all/fails"),
  "hooks of null": follow("null", "GET", "/all/null"),
  "hooks of a stream": follow("stream", "GET", "/all/stream"),
  "hooks of HEAD": follow("head", "HEAD", "/all/plain"),
  "hooks of the tree, of a child and of the route": follow("child", "GET", "/all/child"),
  "hooks of a body that is malformed": follow("malformed", "POST", "/all/echo", { headers: json, body: "{" }),
  "a hook that answers": async (t) => {
    for (const step of STEPS) {
      await t.request("POST", `/early/async/${step}`, { headers: json, body: "{}" });
      await t.request("POST", `/early/returns/${step}`, { headers: json, body: "{}" });
      await t.request("POST", `/early/callback/${step}`, { headers: json, body: "{}" });
    }
    await t.get("/early/second");
  },
  "a hook that fails": async (t) => {
    for (const step of STEPS) {
      await t.request("POST", `/early/throws/${step}`, { headers: json, body: "{}" });
      await t.request("POST", `/early/errs/${step}`, { headers: json, body: "{}" });
    }
  },
  "hooks change the body": async (t) => {
    await t.request("POST", "/change/parsing", { headers: json, body: '{"word":"low"}' });
    await t.get("/change/both");
  },
  "hooks change the answer": async (t) => {
    for (const path of ["serialization", "string", "send", "send-null", "send-buffer", "header-late"]) {
      await t.get(`/change/${path}`);
    }
  },
  "hooks that fail while an answer is made": async (t) => {
    await t.get("/change/send-object");
    await t.get("/change/send-throws");
    await t.get("/change/serialization-throws");
  },
  "onRoute changes a route": async (t) => {
    await t.get("/changed-by-onroute");
    await t.request("HEAD", "/changed-by-onroute");
  },
};
