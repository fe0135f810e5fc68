export const application = "schema";

const post = (path, bodies, type = "application/json") => async (t) => {
  for (const body of bodies) {
    await t.request("POST", path, { headers: { "content-type": type }, body: typeof body === "string" ? body : JSON.stringify(body) });
  }
};
const get = (...paths) => async (t) => {
  for (const path of paths) await t.get(path);
};

export const scripts = {
  "bodies by a shared schema": post("/person", [{ name: "ada", age: 36 }, { name: "ada", age: "36" }, {}, { name: "a" }, { name: "ada", age: -1 }, { name: "ada", age: 1.5 }, [], "null", '"text"']),
  "bodies: coercion, defaults, extra keys": post("/body", [
    { a: 1, b: true },
    { a: "2", b: "false", extra: "dropped" },
    { a: 1, b: "maybe" },
    { a: 1 },
    { b: true },
    { a: 1, b: true, c: 7 },
    { a: 1, b: true, c: [1, "2"] },
    { a: 1, b: true, c: [1, 2, 3] },
    { a: 1, b: true, c: ["x"] },
  ]),
  "bodies: formats, patterns, nested, references": post("/body", [
    { a: 1, b: true, e: "a@example.org" },
    { a: 1, b: true, e: "nonsense" },
    { a: 1, b: true, f: "xyz" },
    { a: 1, b: true, f: null },
    { a: 1, b: true, f: "yz" },
    { a: 1, b: true, g: { h: 3 } },
    { a: 1, b: true, g: { h: 4, i: 1 } },
    { a: 1, b: true, i: "b" },
    { a: 1, b: true, i: "c" },
  ]),
  "no body where a schema wants one": async (t) => {
    await t.request("POST", "/person");
    await t.request("POST", "/person", { headers: { "content-type": "text/plain" }, body: "text" });
  },
  "queries": get("/query?page=2", "/query?page=x", "/query", "/query?page=0", "/query?page=1&all=true&tags=a&tags=b", "/query?page=1&tags=single", "/query?page=1&other=kept", "/query?page=1&size=5", "/short?n=1.5", "/short?n=x"),
  "parameters and headers": async (t) => {
    await t.get("/items/17");
    await t.get("/items/seventeen");
    await t.get("/headers", { "x-count": "3" });
    await t.get("/headers", { "x-count": "three" });
    await t.get("/headers");
  },
  "errors of validation are attached": post("/attached", [{ a: 1 }, { a: "x" }, {}]),
  "a schema for each type of content": async (t) => {
    await post("/types", [{ json: 1 }, {}])(t);
    await post("/types", ["long", "x"], "text/plain")(t);
  },
  "own formatters and handlers of errors": async (t) => {
    await post("/formatted", [{}])(t);
    await post("/handled", [{}, { name: 1 }])(t);
  },
  "oneOf, if and formats": async (t) => {
    await post("/one-of", [{ a: 1 }, { b: 1 }, {}, { a: "x" }, { a: 1, b: 1 }])(t);
    await post("/if", [{ kind: "x", x: 1 }, { kind: "x" }, {}, { other: 1 }])(t);
    await post("/formats", [
      { date: "2026-02-28" }, { date: "2026-02-30" }, { moment: "2026-01-01T00:00:00Z" }, { moment: "yesterday" }, { uri: "http://a/b" },
      { uri: "a b" }, { uuid: "0190a0b0-c0d0-7000-8000-000000000001" }, { uuid: "x" }, { ipv4: "1.2.3.4" }, { ipv4: "1.2.3.400" }, { time: "10:00:00Z" }, { time: "25:00" },
    ])(t);
  },
  "own validators": async (t) => {
    await post("/own", [{ a: 1 }, { fail: 1 }])(t);
    await post("/own/route", [{ a: 1 }, { fail: 1 }])(t);
  },
  "answers leave out what their schema has not": get(...["drops", "coerces", "nested", "class", "other-status", "default", "ref", "required"].map((it) => `/answers/${it}`)),
  "answers: dates, null, defaults, patterns": get(...["date", "nullable", "defaults", "additional", "patterns", "any-of", "string", "number", "array", "unicode", "big"].map((it) => `/answers/${it}`)),
  "answers: by type, without a schema, by hand": get(...["content", "no-schema", "circular", "bigint", "serialize"].map((it) => `/answers/${it}`)),
  "own serializers": get("/custom/compiler", "/custom/route", "/custom/reply", "/custom/own"),
  "schemas are known, and refused": get("/schemas", "/refused"),
};
