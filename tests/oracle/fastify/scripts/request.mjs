export const application = "request";

export const scripts = {
  "what a request has": async (t) => {
    await t.get("/request/a%20b?x=1&y=2", { "x-own": "1", cookie: "a=b" });
    await t.request("POST", "/request/post", { headers: { "content-type": "application/json; charset=utf-8", "x-own": "2" }, body: '{"a":1}' });
    await t.request("PUT", "/request/none");
  },
  "proxies are not believed": async (t) => {
    await t.get("/request/proxied", { "x-forwarded-for": "1.2.3.4", "x-forwarded-host": "other.example", "x-forwarded-proto": "https", host: "real.example" });
  },
  "headers that come twice": async (t) => {
    await t.get("/request/twice", { "x-twice": ["1", "2"], cookie: ["a=1", "b=2"] });
  },
  "ids differ, headers can be set": async (t) => {
    await t.get("/ids");
    await t.get("/set-headers");
  },
  "requests from inside": async (t) => {
    for (const form of ["string", "object", "text", "stream", "cookies", "authority", "absolute", "json"]) await t.get(`/inject/${form}`);
  },
  "requests from inside, other forms": async (t) => {
    for (const form of ["chain", "get", "callback", "missing", "streamed", "head", "form"]) await t.get(`/inject/${form}`);
  },
};
