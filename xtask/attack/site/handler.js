// What the attacks ask for, by the first segment of the path.
import { client } from "liveline:sql";

const MIB = 1 << 20;
/** All buffers of `/buffers`, so that nothing can be collected. */
const kept = [];

const routes = {
  ok: () => "fine",

  /** A line that gets ten messages a second. */
  watch(event) {
    let number = 0;
    setInterval(() => event.client.postMessage(number++), 100);
    event.waitUntilNavigate();
    return "watching";
  },

  // Work that runs into the CPU limit, and can be stopped.
  regexp: () => /^(a+)+$/.test("a".repeat(40) + "!"),
  form: async (event) => [...await event.request.formData()].length,

  // Work that V8 does not stop within.
  includes: () => Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1),
  reverse: () => new Array(2 ** 32 - 2).reverse().length,
  replace() {
    let text = "a".repeat(2 ** 24);
    for (let i = 0; i < 64; i++) text.replace(/a/g, "bb");
    return text.length;
  },
  power: () => String((3n ** 30_000_000n) ** 8n).length,
  wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000),

  // Memory: a gigabyte at most, so that the machine survives a host without limits.
  buffers() {
    for (let i = 0; i < 64; i++) kept.push(new Uint8Array(16 * MIB).fill(1));
    return kept.length;
  },
  upload: async (event) => (await event.request.arrayBuffer()).byteLength,
  async rows() {
    const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)";
    const { rows } = await client.query(`${numbers} SELECT i, randomblob(5000) AS bytes FROM n`);
    return rows.length;
  },

  room(event) {
    event.client.enterChannel("room", { presence: { name: "one of many" } });
    event.waitUntilNavigate();
    return "in";
  },
  /** How many are in the room: asked by a client that can be in none. */
  size: (event) => event.client.enterChannel("room", { announce: false }).channel.size,
};

export default function (event, next) {
  return routes[next.stepname]?.(event) ?? next();
}
