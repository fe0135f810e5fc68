export const application = "cors";

const ORIGINS = ["https://one.example", "https://sub.two.example", "http://evil.test"];
const preflight = (origin, headers) => ({ origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-asked, x-too", ...headers });

const origins = (...prefixes) => async (t) => {
  for (const prefix of prefixes) {
    for (const origin of ORIGINS) {
      await t.request("GET", `/${prefix}`, { headers: { origin }, as: `GET ${prefix} from ${origin}` });
      await t.request("OPTIONS", `/${prefix}`, { headers: preflight(origin), as: `OPTIONS ${prefix} from ${origin}` });
    }
    await t.get(`/${prefix}`);
  }
};
const once = (...prefixes) => async (t) => {
  for (const prefix of prefixes) {
    await t.request("GET", `/${prefix}`, { headers: { origin: ORIGINS[0] } });
    await t.request("OPTIONS", `/${prefix}`, { headers: preflight(ORIGINS[0]) });
    await t.request("OPTIONS", `/${prefix}/nowhere`, { headers: preflight(ORIGINS[0]) });
    await t.request("OPTIONS", `/${prefix}`);
  }
};

export const scripts = {
  "without options": origins("default", "none"),
  "origins: a star, a text, a list": origins("star", "text", "list"),
  "origins: patterns, true and false": origins("pattern", "yes", "no"),
  "origins: functions": origins("function", "promise", "fails"),
  "credentials": once("credentials"),
  "methods, headers and ages": once("methods", "texts", "cached"),
  "preflights": once("status", "continue", "lax", "no-preflight", "hidden"),
  "another hook, and a delegator": async (t) => {
    await once("later")(t);
    await t.request("GET", "/delegator", { headers: { origin: ORIGINS[0], "x-open": "1" }, as: "open" });
    await t.request("GET", "/delegator", { headers: { origin: ORIGINS[0] }, as: "closed" });
    await t.request("OPTIONS", "/delegator", { headers: preflight(ORIGINS[0], { "x-open": "1" }), as: "open preflight" });
    await origins("by-request")(t);
  },
  "errors have the headers as well": async (t) => {
    await t.request("GET", "/default/nowhere", { headers: { origin: ORIGINS[0] } });
    await t.request("POST", "/default", { headers: { origin: ORIGINS[0], "content-type": "application/json" }, body: "{" });
  },
};
