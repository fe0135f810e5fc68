// Sends messages and keeps a log of what its consumers received.

import { DurableObject } from "cloudflare:workers";
import { answer, attempt, show } from "./shared/show.mjs";

export class Log extends DurableObject {
  async add(entry) {
    const log = (await this.ctx.storage.get("log")) ?? [];
    log.push(entry);
    await this.ctx.storage.put("log", log);
  }
  all() {
    return this.ctx.storage.get("log");
  }
}

const cases = {
  send: async ({ JOBS }) => [await JOBS.send({ test: "types", value: new Date(0), map: new Map([["a", 1]]) })],
  json: ({ JOBS }) => JOBS.send({ test: "json", value: [1] }, { contentType: "json" }),
  text: ({ JOBS }) => JOBS.send("test text", { contentType: "text" }),
  bytes: ({ JOBS }) => JOBS.send(new Uint8Array([1, 2]), { contentType: "bytes" }),
  batch: ({ JOBS }) => JOBS.sendBatch([1, 2, 3].map((n) => ({ body: { test: "batch", n } }))),
  delayed: ({ JOBS }) => JOBS.send({ test: "delayed" }, { delaySeconds: 1 }),
  retried: ({ JOBS }) => JOBS.send({ test: "retried" }),
  dead: ({ FAILING }) => FAILING.send({ test: "dead" }),
  async refused({ JOBS }) {
    return {
      long: await attempt(() => JOBS.send("x".repeat(129 * 1024), { contentType: "text" })),
      type: await attempt(() => JOBS.send("x", { contentType: "xml" })),
      textOfObject: await attempt(() => JOBS.send({}, { contentType: "text" })),
      bytesOfText: await attempt(() => JOBS.send("x", { contentType: "bytes" })),
      function: await attempt(() => JOBS.send(() => {}, { contentType: "v8" })),
      nothing: await attempt(() => JOBS.send()),
      many: await attempt(() => JOBS.sendBatch(Array.from({ length: 101 }, () => ({ body: 1 })))),
      none: await attempt(() => JOBS.sendBatch([])),
      delay: await attempt(() => JOBS.send("x", { delaySeconds: -1 })),
      delayLong: await attempt(() => JOBS.send("x", { delaySeconds: 86_401 })),
    };
  },
  log: async ({ LOG }, query) => ((await LOG.getByName("log").all()) ?? []).filter((entry) => entry.test === query.get("test")),
};

export default {
  fetch(request, env) {
    const url = new URL(request.url);
    return answer(cases, url.pathname.slice(1), env, url.searchParams);
  },

  async queue(batch, env) {
    const log = env.LOG.getByName("log");
    for (const message of batch.messages) {
      const { body } = message;
      const test = typeof body === "string" ? "text" : body instanceof Uint8Array || body instanceof ArrayBuffer ? "bytes" : body.test;
      await log.add({ test, queue: batch.queue, body: show(body), attempts: message.attempts, id: typeof message.id, time: message.timestamp instanceof Date, size: test === "batch" ? batch.messages.length : 0 });
      if (test === "retried" && message.attempts < 3) message.retry();
      if (test === "dead" && batch.queue === "failing") throw new Error("the consumer failed");
    }
  },
};
