// Each request `/OBJECT/CASE` runs a case inside the object of that name.

import { DurableObject } from "cloudflare:workers";
import { answer } from "./shared/show.mjs";
import { kv } from "./kv.mjs";
import { list } from "./list.mjs";
import { gates } from "./gates.mjs";
import { sql } from "./sql.mjs";
import { transactions } from "./transactions.mjs";

const cases = { ...kv, ...list, ...gates, ...sql, ...transactions };

export class Store extends DurableObject {
  counter = 0;

  async fetch(request) {
    const url = new URL(request.url);
    const it = { ctx: this.ctx, storage: this.ctx.storage, sql: this.ctx.storage.sql, self: this, query: url.searchParams };
    return answer(cases, url.pathname.split("/")[2], it);
  }
}

export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.split("/")[1];
    return env.STORE.getByName(name).fetch(request);
  },
};
