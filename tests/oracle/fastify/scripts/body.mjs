export const application = "body";

const send = (path, pairs, method = "POST") => async (t) => {
  for (const [type, body] of pairs) {
    await t.request(method, path, { headers: type === null ? {} : { "content-type": type }, body });
  }
};

export const scripts = {
  "JSON": send("/echo", [
    ["application/json", '{"a":[1,null,"x"]}'],
    ["application/json; charset=utf-8", '"text"'],
    ["application/json;charset=UTF-8", "7"],
    ["APPLICATION/JSON", "null"],
    ["application/json", '\ufeff{"bom":true}'],
  ]),
  "malformed JSON": send("/echo", [
    ["application/json", "{"],
    ["application/json", '{"a":}'],
    ["application/json", ""],
    ["application/json", "nonsense"],
    ["application/json", '{"__proto__":{"a":1}}'],
    ["application/json", '{"constructor":{"prototype":{"a":1}}}'],
    ["application/json", '{"constructor":1}'],
  ]),
  "text, and types that nobody reads": send("/echo", [
    ["text/plain", "words"],
    ["text/plain; charset=utf-8", "Stra\u00dfe"],
    ["text/plain", ""],
    ["text/csv", "a,b"],
    ["application/x-www-form-urlencoded", "a=1"],
    ["multipart/form-data; boundary=x", "--x--"],
    ["nonsense", "x"],
    ["application/jsonp", "{}"],
    ["application/json+ld", "{}"],
    [null, "no type"],
    [null, undefined],
  ]),
  "methods with and without a body": async (t) => {
    const headers = { "content-type": "application/json" };
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      await t.request(method, "/echo", { headers, body: '{"a":1}' });
      await t.request(method, "/echo");
      await t.request(method, "/echo", { headers });
    }
    await t.request("GET", "/echo", { headers, body: '{"a":1}' });
  },
  "bodies that are too large": async (t) => {
    const headers = { "content-type": "application/json" };
    await t.request("POST", "/small", { headers, body: '{"a":1}' });
    await t.request("POST", "/small", { headers, body: '{"a":123}' });
    await t.request("POST", "/small", { headers: { "content-type": "text/plain" }, body: "nine chars", chunked: true });
    await t.request("POST", "/echo", { headers, body: JSON.stringify("x".repeat(1024 * 1024)), brief: true });
    await t.request("POST", "/echo", { headers, body: JSON.stringify("x".repeat(1024 * 1024 - 2)), brief: true });
  },
  "bodies in pieces": async (t) => {
    await t.request("POST", "/echo", { headers: { "content-type": "application/json" }, body: '{"pieces":true}', chunked: true });
    await t.request("POST", "/echo", { headers: { "content-type": "application/json" }, body: "", chunked: true });
  },
  "own parsers": send("/own", [
    ["text/csv", "a,b\nc,d"],
    ["application/octet-stream", "12345"],
    ["application/x-stream", "123456"],
    ["a/one", "1"],
    ["a/two; q=1", "2"],
    ["image/png", "png"],
    ["image/svg+xml", "<svg/>"],
    ["application/vnd.api+json", '{"data":1}'],
    ["application/vnd.api+json", "{"],
    ["a/fails", "x"],
    ["a/limited", "1234"],
    ["a/limited", "12345"],
    ["application/json", "{}"],
  ]),
  "parsers are inherited": async (t) => {
    await t.request("POST", "/own/child", { headers: { "content-type": "text/csv" }, body: "a" });
    await t.request("POST", "/echo", { headers: { "content-type": "a/one" }, body: "a" });
    await t.get("/own/has");
  },
  "a parser of everything": send("/any", [["a/b", "x"], ["application/json", '{"a":1}'], [null, "x"], ["text/plain", "t"]]),
  "parsers that were removed": async (t) => {
    await send("/none", [["application/json", "{}"], ["text/plain", "x"]])(t);
    await send("/less", [["application/json", "{}"], ["text/plain", "x"]])(t);
    await send("/less/again", [["application/json", "{}"]])(t);
  },
  "poisoned objects": send("/poison", [
    ["application/json", '{"a":1,"__proto__":{"b":2}}'],
    ["application/json", '{"a":1,"constructor":{"prototype":{"b":2}}}'],
  ]),
  "the body as a stream": send("/raw", [["a/b", "streamed back"], ["application/json", "{"]]),
  "parsers that are refused": async (t) => {
    await t.get("/refused");
  },
};
