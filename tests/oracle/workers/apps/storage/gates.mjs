// What may run at the same time in one object.

import { exactly } from "./shared/show.mjs";

let log = [];

export const gates = {
  /** Reads and writes with an await between: no other request comes in while storage is at work. */
  async increment({ storage }) {
    const before = (await storage.get("n")) ?? 0;
    await storage.put("n", before + 1);
    return "done";
  },

  count: ({ storage }) => storage.get("n"),

  /** Waits for something else than storage: other requests come in. */
  async interleave({ self, query }) {
    log.push(`begin ${query.get("n")}`);
    self.counter += 1;
    if (self.counter === 2) self.release();
    else await new Promise((resolve) => (self.release = resolve));
    log.push(`end ${query.get("n")}`);
    return "done";
  },

  log() {
    const logged = log;
    log = [];
    return logged;
  },

  /** Nothing else runs while the function of blockConcurrencyWhile does. */
  async blocked({ ctx, query }) {
    const value = await ctx.blockConcurrencyWhile(async () => {
      log.push(`block ${query.get("n")}`);
      await scheduler.wait(30);
      log.push(`unblock ${query.get("n")}`);
      return `value ${query.get("n")}`;
    });
    log.push(`after ${query.get("n")}`);
    return value;
  },

  async blockedThrows({ ctx, self }) {
    self.marked = true;
    return exactly(() => ctx.blockConcurrencyWhile(async () => { throw new Error("in the block"); }));
  },

  marked: ({ self }) => self.marked === true,

  async laterWrite({ ctx, storage }) {
    ctx.waitUntil((async () => {
      await scheduler.wait(20);
      await storage.put("later", "written after the answer");
    })());
    return "answered";
  },

  later: ({ storage }) => storage.get("later"),

  /** What was written before the error stays. */
  async writeAndThrow({ storage }) {
    await storage.put("before", 1);
    storage.put("during", 2);
    throw new Error("after the writes");
  },

  all: ({ storage }) => storage.list(),
};
