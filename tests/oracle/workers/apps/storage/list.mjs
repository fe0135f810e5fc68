import { attempt } from "./shared/show.mjs";

const KEYS = ["a", "a1", "a2", "b", "b1", "b10", "b2", "c", "d/1", "d/2"];

async function filled(storage) {
  await storage.put(Object.fromEntries(KEYS.map((key, at) => [key, at])));
}

export const list = {
  async listOrder({ storage }) {
    for (const key of ["z", "a", "Z", "\u00e9", "e\u0301", "\uffff", "\u{1F600}", "10", "9", " ", "~", "\u0000", "aa"]) await storage.put(key, 1);
    const found = [...(await storage.list()).keys()].map((key) => [...key].map((it) => it.codePointAt(0).toString(16)).join(" "));
    return { found, isMap: (await storage.list()) instanceof Map };
  },

  async listOptions({ storage }) {
    await filled(storage);
    const asked = [
      {}, { prefix: "a" }, { prefix: "b1" }, { prefix: "none" }, { prefix: "" },
      { start: "b" }, { start: "b0" }, { startAfter: "b" }, { startAfter: "b0" }, { end: "b" }, { end: "b0" },
      { start: "a1", end: "b1" }, { startAfter: "a1", end: "b1" }, { start: "c", end: "a" }, { start: "b", end: "b" },
      { limit: 3 }, { limit: 1000 }, { reverse: true }, { reverse: true, limit: 2 },
      { prefix: "b", start: "b1" }, { prefix: "b", end: "b2" }, { prefix: "b", startAfter: "b1", limit: 1 }, { prefix: "b", start: "a" }, { prefix: "b", start: "c" },
      { prefix: "b", reverse: true, limit: 2 }, { start: "a1", end: "b1", reverse: true }, { startAfter: "a1", reverse: true, limit: 2 },
      { prefix: "d/", end: "e" }, { allowConcurrency: true, noCache: true, limit: 1 },
      { limit: undefined, prefix: undefined, start: undefined },
    ];
    const result = [];
    for (const options of asked) result.push([options, [...(await storage.list(options)).keys()].join(" ")]);
    return result;
  },

  async listErrors({ storage }) {
    await filled(storage);
    return {
      both: await attempt(() => storage.list({ start: "a", startAfter: "b" })),
      zero: await attempt(() => storage.list({ limit: 0 })),
      negative: await attempt(() => storage.list({ limit: -1 })),
      text: await attempt(async () => (await storage.list({ limit: "2" })).size),
      notANumber: await attempt(async () => (await storage.list({ limit: "x" })).size),
      nullPrefix: await attempt(async () => (await storage.list({ prefix: null })).size),
      afterwards: (await storage.list()).size,
    };
  },

  async listUnwritten({ storage }) {
    const writes = [storage.put("n3", 3), storage.put("n1", 1), storage.delete("n3"), storage.put("n2", 2)];
    const found = await storage.list({ prefix: "n" });
    await Promise.all(writes);
    return found;
  },
};
