// Each request `/OBJECT/CASE` runs a case inside the object of that name, which has an alarm.

import { DurableObject } from "cloudflare:workers";
import { answer, attempt } from "./shared/show.mjs";

const HOUR = 3_600_000;

const cases = {
  async none({ storage }) {
    return storage.getAlarm();
  },

  async set({ storage }) {
    const at = Date.now() + HOUR;
    const returned = await storage.setAlarm(at);
    const got = await storage.getAlarm();
    await storage.setAlarm(new Date(at + 5));
    const replaced = await storage.getAlarm();
    const deleted = await storage.deleteAlarm();
    return { returned, exact: got === at, replaced: replaced === at + 5, deleted, after: await storage.getAlarm(), deletedAgain: await storage.deleteAlarm() };
  },

  async refused({ storage }) {
    const result = {};
    for (const [name, value] of Object.entries({ negative: -5, text: "soon", notANumber: NaN, invalid: new Date(NaN), infinite: Infinity, null: null, fraction: Date.now() + HOUR + 0.5, zero: 0 })) {
      result[name] = await attempt(async () => {
        await storage.setAlarm(value);
        const at = await storage.getAlarm();
        return at === null ? null : Number.isInteger(at);
      });
      await attempt(() => storage.deleteAlarm());
    }
    result.nothing = await attempt(() => storage.setAlarm());
    return result;
  },

  async transaction({ storage }) {
    await storage.setAlarm(Date.now() + HOUR);
    await attempt(() => storage.transaction(async (txn) => {
      await txn.deleteAlarm?.();
      throw new Error("undo");
    }));
    const kept = (await storage.getAlarm()) !== null;
    storage.transactionSync(() => void storage.setAlarm(Date.now() + 2 * HOUR));
    const moved = (await storage.getAlarm()) > Date.now() + HOUR + 1000;
    await storage.deleteAlarm();
    return { kept, moved };
  },

  async soon({ storage, query }) {
    const due = Date.now() + Number(query.get("in") ?? 20);
    await storage.put({ due, failures: Number(query.get("failures") ?? 0), again: Number(query.get("again") ?? 0), fired: [] });
    await storage.setAlarm(due);
    return "set";
  },

  async past({ storage }) {
    await storage.put({ due: null, failures: 0, again: 0, fired: [] });
    await storage.setAlarm(Date.now() - 10_000);
    return "set";
  },

  fired: ({ storage }) => storage.get("fired"),

  async deleteAll({ storage }) {
    await storage.setAlarm(Date.now() + HOUR);
    await storage.deleteAll();
    const kept = (await storage.getAlarm()) !== null;
    await storage.deleteAlarm();
    return { kept };
  },
};

export class Clock extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    return answer(cases, url.pathname.split("/")[2], { storage: this.ctx.storage, query: url.searchParams });
  }

  async alarm(info) {
    const { storage } = this.ctx;
    const fired = (await storage.get("fired")) ?? [];
    const due = await storage.get("due");
    const last = fired.at(-1)?.at;
    const entry = {
      early: Date.now() < due,
      retryCount: info?.retryCount,
      isRetry: info?.isRetry,
      scheduled: info?.scheduledTime === undefined ? "none" : info.scheduledTime === due,
      alarmInside: await storage.getAlarm(),
      at: Date.now(),
      waited: last === undefined ? null : Date.now() - last,
      name: this.ctx.id.name,
    };
    fired.push(entry);
    await storage.put("fired", fired);
    // What the handler has written stays although it throws.
    await storage.sync();
    if (fired.length <= (await storage.get("failures"))) throw new Error("the alarm's handler failed");
    if (fired.length <= (await storage.get("again"))) {
      const next = Date.now() + 10;
      await storage.put("due", next);
      await storage.setAlarm(next);
    }
  }
}

export class Mute extends DurableObject {
  async setIt() {
    return attempt(() => this.ctx.storage.setAlarm(Date.now() + HOUR));
  }
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.split("/")[1];
    if (name === "mute") return Response.json(await env.MUTE.getByName("mute").setIt());
    return env.CLOCK.getByName(name).fetch(request);
  },
};
