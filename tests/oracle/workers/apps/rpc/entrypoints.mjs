import { WorkerEntrypoint, env as importedEnv, waitUntil } from "cloudflare:workers";
import { attempt, exactly } from "./shared/show.mjs";

let finished = [];

export class Named extends WorkerEntrypoint {
  async fetch(request) {
    return Response.json({ from: "Named", path: new URL(request.url).pathname, props: this.ctx.props });
  }
  hello(name) {
    return `hello ${name} from an entrypoint`;
  }
  props() {
    return this.ctx.props;
  }
  bindings() {
    return Object.keys(this.env).sort();
  }
  later() {
    this.ctx.waitUntil(scheduler.wait(1).then(() => finished.push("of the entrypoint")));
  }
  fail() {
    throw new TypeError("the entrypoint failed");
  }
}

export const entrypoints = {
  async services({ env }) {
    return {
      hello: await env.NAMED.hello("you"),
      props: await env.NAMED.props(),
      fetch: await (await env.NAMED.fetch("http://x/p")).json(),
      fail: await exactly(() => env.NAMED.fail()),
      missing: await exactly(() => env.NAMED.missing()),
      self: (await env.SELF.fetch("http://x/nocase")).status,
      selfMethod: await attempt(() => env.SELF.anything()),
    };
  },

  async loopback({ ctx }) {
    return {
      keys: Object.keys(ctx.exports).sort(),
      hello: await exactly(() => ctx.exports.Named.hello("me")),
      withProps: await attempt(() => ctx.exports.Named({ props: { role: "owner" } }).props()),
      noProps: await attempt(() => ctx.exports.Named.props()),
      fetch: await attempt(async () => (await ctx.exports.Named.fetch("http://x/q")).json()),
      object: await exactly(() => ctx.exports.Callee.getByName("loopback").echo(1)),
    };
  },

  async imported({ env }) {
    finished = [];
    waitUntil(scheduler.wait(1).then(() => finished.push("imported")));
    await env.NAMED.later();
    for (let tries = 0; tries < 200 && finished.length < 2; tries += 1) await scheduler.wait(5);
    return { sameKeys: Object.keys(importedEnv).sort().join() === Object.keys(env).sort().join(), finished: finished.sort(), call: await importedEnv.NAMED.hello("import") };
  },
};
