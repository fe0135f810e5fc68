// Each request `/CASE` runs a case on a KV namespace, with keys of its own.

import { answer, attempt } from "./shared/show.mjs";

const cases = {
  async values({ KV, OTHER }) {
    const result = { missing: await KV.get("values/none"), put: await KV.put("values/a", "text \u00e9") };
    result.text = await KV.get("values/a");
    result.asText = await KV.get("values/a", "text");
    result.other = await OTHER.get("values/a");
    await KV.put("values/json", JSON.stringify({ a: [1] }));
    result.json = await KV.get("values/json", "json");
    result.jsonOption = await KV.get("values/json", { type: "json", cacheTtl: 60 });
    result.buffer = await KV.get("values/a", "arrayBuffer");
    result.stream = await new Response(await KV.get("values/a", "stream")).text();
    await KV.put("values/bytes", new Uint8Array([0, 255]));
    result.bytes = await KV.get("values/bytes", "arrayBuffer");
    await KV.put("values/bytes2", new Uint8Array([7]).buffer);
    result.bytes2 = await KV.get("values/bytes2", "arrayBuffer");
    await KV.put("values/stream", new Response("streamed").body);
    result.streamed = await KV.get("values/stream");
    await KV.put("values/empty", "");
    result.empty = await KV.get("values/empty");
    result.deleted = await KV.delete("values/a");
    result.deletedAgain = await KV.delete("values/a");
    result.after = await KV.get("values/a");
    return result;
  },

  async metadata({ KV }) {
    await KV.put("metadata/a", "1", { metadata: { kind: "x", n: [1] } });
    await KV.put("metadata/b", "{}");
    return {
      with: await KV.getWithMetadata("metadata/a"),
      without: await KV.getWithMetadata("metadata/b", "json"),
      missing: await KV.getWithMetadata("metadata/none"),
      list: await KV.list({ prefix: "metadata/" }),
    };
  },

  async many({ KV }) {
    await KV.put("many/a", "1", { metadata: { m: 1 } });
    await KV.put("many/b", "2");
    return {
      several: await attempt(() => KV.get(["many/a", "many/none", "many/b"])),
      json: await attempt(() => KV.get(["many/a", "many/b"], "json")),
      withMetadata: await attempt(() => KV.getWithMetadata(["many/a", "many/b"])),
      none: await attempt(() => KV.get([])),
      tooMany: await attempt(() => KV.get(Array.from({ length: 101 }, (_, at) => `many/${at}`))),
      bytes: await attempt(() => KV.get(["many/a"], "arrayBuffer")),
    };
  },

  async list({ KV }) {
    for (const name of ["c", "a", "b", "b1", "\u00e9"]) await KV.put(`list/${name}`, name);
    const first = await KV.list({ prefix: "list/", limit: 2 });
    const second = await KV.list({ prefix: "list/", limit: 2, cursor: first.cursor });
    const third = await KV.list({ prefix: "list/", limit: 2, cursor: second.cursor });
    const names = (page) => ({ names: page.keys.map((key) => key.name), complete: page.list_complete, cursor: typeof page.cursor });
    return { all: names(await KV.list({ prefix: "list/" })), pages: [first, second, third].map(names), narrower: names(await KV.list({ prefix: "list/b" })), none: names(await KV.list({ prefix: "nothing/" })), nullOptions: names(await KV.list({ prefix: "list/c", cursor: null, limit: undefined })) };
  },

  async expiring({ KV }) {
    const now = Math.floor(Date.now() / 1000);
    await KV.put("expiring/ttl", "x", { expirationTtl: 120 });
    await KV.put("expiring/at", "x", { expiration: now + 300 });
    const { keys } = await KV.list({ prefix: "expiring/" });
    return {
      names: keys.map((key) => key.name),
      times: keys.map((key) => Math.abs(key.expiration - now - (key.name.endsWith("ttl") ? 120 : 300)) < 30),
      short: await attempt(() => KV.put("expiring/x", "x", { expirationTtl: 30 })),
      zero: await attempt(() => KV.put("expiring/x", "x", { expirationTtl: 0 })),
      text: await attempt(() => KV.put("expiring/y", "x", { expirationTtl: "soon" })),
      past: await attempt(() => KV.put("expiring/x", "x", { expiration: 5 })),
      cacheTtl: await attempt(() => KV.get("expiring/at", { cacheTtl: 5 })),
    };
  },

  async refused({ KV }) {
    return {
      empty: await attempt(() => KV.get("")),
      dot: await attempt(() => KV.put(".", "x")),
      dots: await attempt(() => KV.put("..", "x")),
      long: await attempt(() => KV.put("k".repeat(513), "x")),
      long512: await attempt(async () => (await KV.put("k".repeat(512), "x"), (await KV.get("k".repeat(512))))),
      putEmpty: await attempt(() => KV.put("", "x")),
      number: await attempt(async () => (await KV.put("refused/n", 5), await KV.get("refused/n"))),
      object: await attempt(async () => (await KV.put("refused/o", { a: 1 }), await KV.get("refused/o"))),
      null: await attempt(async () => (await KV.put("refused/null", null), await KV.get("refused/null"))),
      noValue: await attempt(() => KV.put("refused/x")),
      badJson: await attempt(async () => (await KV.put("refused/j", "{"), await KV.get("refused/j", "json"))),
      badType: await attempt(() => KV.get("refused/j", "xml")),
      metadata: await attempt(() => KV.put("refused/m", "x", { metadata: "x".repeat(1025) })),
      limit: await attempt(() => KV.list({ prefix: "refused/", limit: 0 })),
      limit1001: await attempt(() => KV.list({ prefix: "refused/", limit: 1001 })),
      badCursor: await attempt(() => KV.list({ prefix: "refused/", cursor: "not a cursor" })),
      slash: await attempt(async () => (await KV.put("refused/../a?b#c%20d", "odd"), await KV.get("refused/../a?b#c%20d"))),
    };
  },

  write: ({ KV }) => KV.put("kept", "value", { metadata: { a: 1 } }),
  kept: ({ KV }) => KV.getWithMetadata("kept"),
};

export default {
  fetch: (request, env) => answer(cases, new URL(request.url).pathname.slice(1), env),
};
