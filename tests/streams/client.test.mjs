// The client of Durable Streams follows the live answer of a handler, which knows nothing of the protocol.
import { DurableStream, stream } from "@durable-streams/client";
import { describe, expect, test } from "vitest";

const origin = process.env.LIVELINE_ORIGIN;

const publish = (data) =>
  fetch(`${origin}/say`, { method: "POST", body: JSON.stringify(data), headers: { "content-type": "application/json" } });

describe("a handler's live answer", () => {
  for (const live of ["sse", "long-poll"]) {
    test(`is followed by ${live} from its beginning on`, async () => {
      const before = `${live} before`;
      await publish({ text: before });
      const controller = new AbortController();
      const response = await stream({ url: `${origin}/news`, offset: "-1", live, json: true, signal: controller.signal });
      const texts = [];
      const done = new Promise((resolve) => {
        response.subscribeJson((batch) => {
          for (const { text } of batch.items) texts.push(text);
          if (texts.includes(`${live} 9`)) resolve();
        });
      });
      for (let n = 0; n < 10; n += 1) await publish({ text: `${live} ${n}` });
      await done;
      controller.abort();
      const mine = texts.filter((text) => text.startsWith(live));
      expect(mine).toEqual([before, ...Array.from({ length: 10 }, (_, n) => `${live} ${n}`)]);
    });
  }

  test("continues behind an offset", async () => {
    await publish({ text: "first" });
    const first = await stream({ url: `${origin}/news`, offset: "-1", live: false });
    await first.json();
    await publish({ text: "second" });
    const second = await stream({ url: `${origin}/news`, offset: first.offset, live: false });
    expect(await second.json()).toEqual([{ text: "second" }]);
  });

  test("may not be written by its clients", async () => {
    const response = await fetch(`${origin}/news`, { method: "POST", body: "1", headers: { "content-type": "application/json" } });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    await expect(DurableStream.create({ url: `${origin}/news`, contentType: "application/json" })).rejects.toThrow();
  });
});
