// A counter for each path. Its rows are in a SQLite file of its own, and survive restarts.

import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS steps (at INTEGER, by INTEGER)");
  }

  add(by) {
    this.ctx.storage.sql.exec("INSERT INTO steps VALUES (?, ?)", Date.now(), by);
    return this.count();
  }

  count() {
    return this.ctx.storage.sql.exec("SELECT coalesce(sum(by), 0) AS count FROM steps").one().count;
  }
}

export default {
  async fetch(request, env) {
    const counter = env.COUNTER.getByName(new URL(request.url).pathname);
    const count = request.method === "POST" ? await counter.add(1) : await counter.count();
    return Response.json({ count });
  },
};
