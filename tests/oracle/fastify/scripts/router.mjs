export const application = "router";

const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};

export const scripts = {
  "methods": async (t) => {
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE", "PROPFIND"]) await t.request(method, "/verbs");
    for (const method of ["GET", "POST", "PATCH", "HEAD"]) await t.request(method, "/several");
    for (const method of ["GET", "HEAD", "POST"]) await t.request(method, "/only-head");
    await t.request("POST", "/lower");
    await t.request("TRACE", "/traced");
  },
  "all methods at once": async (t) => {
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE"]) await t.request(method, "/all");
  },
  "HEAD beside GET": async (t) => {
    await t.request("HEAD", "/verbs");
    await t.request("HEAD", "/no-head");
    await t.request("HEAD", "/users/7");
  },
  "methods that were added": async (t) => {
    await t.request("PROPFIND", "/found");
    await t.request("MKCALENDAR", "/found", { headers: { "content-type": "application/json" }, body: '{"a":1}' });
    await t.request("PROPFIND", "/nowhere");
    await t.request("MKCOL", "/found");
  },
  "forms of declaring": get("/by-path", "/in-options", "/config", "/has"),
  "parameters": get("/users/7", "/users/me", "/users/", "/users", "/users/a%20b", "/users/a%2Fb", "/users/%E2%82%AC", "/users/7/posts/9", "/users/7/posts/"),
  "parameters in parts of a segment": get("/range/1-2", "/range/a-b-c", "/at/10h30m", "/at/1h30m", "/digits/12", "/digits/x", "/maybe/7", "/maybe", "/maybe/", "/file/a.png", "/file/a.b.png", "/colon/:not-a-parameter"),
  "wildcards": get("/files/a", "/files/a/b/c", "/files/", "/files", "/files/fixed", "/files/fixed/more", "/files/a%2Fb", "/files/a?b=c"),
  "case, slashes and letters": get("/case/sensitive", "/Case/Sensitive", "/slash/", "/slash", "/no-slash", "/no-slash/", "/stra%C3%9Fe", "/with%20space", "//no-slash", "/users//posts/1"),
  "queries": get("/verbs?a=1&a=2&b=", "/verbs?a[]=1&a[b]=2", "/verbs?%20x=y+z&w=%2B", "/verbs?", "/verbs?a", "/verbs?__proto__=1&toString=2", "/verbs?a=%zz", "/verbs?a=1#fragment", "/verbs;a=1"),
  "paths that are not well formed": get("/users/%zz", "/%", "/users/%E0%A4%A", "/verbs%00"),
  "long parameters": async (t) => {
    await t.request("GET", `/users/${"x".repeat(100)}`);
    await t.request("GET", `/users/${"x".repeat(101)}`);
    await t.request("GET", `/files/${"x".repeat(200)}`);
  },
  "prefixes": get("/v1", "/v1/", "/v1/sub", "/v1/inner/red", "/v1/inner/red/", "/v1/inner/red/ada", "/both", "/both/", "/slashed", "/slashed/", "/bare", "/bare/", "/trailing/x", "/trailing", "/trailing/", "/trailing//x"),
  "hosts and versions": async (t) => {
    for (const host of ["one.example", "a.two.example", "three.example", "one.example:80"]) await t.get("/hosted", { host });
    for (const version of ["1.2.0", "1.x", "2.0.0", "3.0.0", "*"]) await t.get("/versioned", { "accept-version": version });
    await t.get("/versioned");
  },
  "routes that are refused": get("/refused"),
};
