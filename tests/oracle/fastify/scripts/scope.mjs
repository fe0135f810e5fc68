export const application = "scope";

export const scripts = {
  "decorators of the instance, of requests and of replies": async (t) => {
    await t.get("/root");
    await t.get("/shout");
    await t.get("/has");
    await t.get("/this");
  },
  "decorators are seen below, not beside and above": async (t) => {
    await t.get("/v1/one");
    await t.get("/v1/deep/inner");
    await t.get("/two");
    await t.get("/below");
    await t.get("/wide");
    await t.get("/ignored/wide");
    await t.get("/plugins");
  },
  "hooks of a plugin without encapsulation apply where it was registered": async (t) => {
    await t.get("/two");
    await t.get("/below");
    await t.get("/root");
  },
  "a decorator that is there already, and others that are refused": async (t) => {
    await t.get("/failures");
  },
  "nothing can be added once the tree is ready": async (t) => {
    await t.get("/late");
  },
  "ids of requests": async (t) => {
    for (const path of ["/id/named", "/id/plain", "/id/named/inner", "/id/own", "/id/named", "/id/plain"]) await t.get(path);
  },
  "each request has its own value of a decorator": async (t) => {
    await t.get("/state?name=ada");
    await t.get("/state");
  },
};
