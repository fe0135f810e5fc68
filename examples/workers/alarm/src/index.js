// A reminder: POST sets it, and the object wakes itself when it is due, also after a restart.

import { DurableObject } from "cloudflare:workers";

export class Reminder extends DurableObject {
  async remind(text, seconds) {
    await this.ctx.storage.put("text", text);
    await this.ctx.storage.setAlarm(Date.now() + seconds * 1000);
  }

  async alarm() {
    await this.ctx.storage.put("reminded", await this.ctx.storage.get("text"));
  }

  async state() {
    const reminded = (await this.ctx.storage.get("reminded")) ?? null;
    return { due: await this.ctx.storage.getAlarm(), reminded };
  }
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const reminder = env.REMINDER.getByName(pathname);
    if (request.method === "POST") await reminder.remind(await request.text(), Number(searchParams.get("seconds") ?? 1));
    return Response.json(await reminder.state());
  },
};
