// The modules that the runtime has itself.

import * as workers from "cloudflare:workers";
import * as email from "cloudflare:email";
import * as sockets from "cloudflare:sockets";
import { connect } from "cloudflare:sockets";
import * as workflows from "cloudflare:workflows";
import { attempt } from "./shared/show.mjs";

const { env, withEnv, WorkflowEntrypoint } = workers;
const { NonRetryableError } = workflows;

export class Flow extends WorkflowEntrypoint {
  async run(event, step) {
    return await step.do("first", () => event);
  }
}

const MEMBERS = ["DurableObject", "RpcPromise", "RpcProperty", "RpcStub", "RpcTarget", "ServiceStub", "WorkerEntrypoint", "WorkflowEntrypoint", "env", "exports", "tracing", "waitUntil", "withEnv", "withEnvAndExports", "withExports", "connect", "EmailMessage", "NonRetryableError"];
const types = (module) => Object.fromEntries(MEMBERS.filter((name) => name in module).map((name) => [name, typeof module[name]]));

async function said(socket) {
  let text = "";
  for await (const bytes of socket.readable) text += new TextDecoder().decode(bytes);
  return text;
}

async function settled(promise) {
  try {
    return (await promise) ?? "nothing";
  } catch (error) {
    return { rejected: error instanceof Error };
  }
}

const cases = {
  async echo(url) {
    const socket = connect(`127.0.0.1:${url.searchParams.get("port")}`);
    const { remoteAddress } = await socket.opened;
    const writer = socket.writable.getWriter();
    for (const word of ["one ", "two ", "three"]) await writer.write(new TextEncoder().encode(word));
    await writer.close();
    const text = await said(socket);
    return { remote: remoteAddress === `127.0.0.1:${url.searchParams.get("port")}`, text, closed: await settled(socket.closed), is: [socket.upgraded, socket.secureTransport] };
  },
  async byob(url) {
    const socket = connect({ hostname: "127.0.0.1", port: Number(url.searchParams.get("port")) }, { allowHalfOpen: true });
    const writer = socket.writable.getWriter();
    await writer.write(new Uint8Array([1, 2, 3]));
    const reader = socket.readable.getReader({ mode: "byob" });
    const bytes = [];
    while (bytes.length < 3) bytes.push(...(await reader.read(new Uint8Array(2))).value);
    await settled(socket.close());
    return { bytes };
  },
  async refused(url) {
    const socket = connect({ hostname: "127.0.0.1", port: Number(url.searchParams.get("port")) });
    return { opened: await settled(socket.opened), closed: await settled(socket.closed), read: await settled(said(socket)) };
  },
  addresses: async () => ({
    none: await attempt(() => connect("127.0.0.1")),
    letters: await attempt(() => connect("127.0.0.1:abc")),
    far: await attempt(() => connect({ hostname: "127.0.0.1", port: 70000 })),
    transport: await attempt(() => connect("127.0.0.1:1", { secureTransport: "maybe" })),
    upgrade: await attempt(() => connect("127.0.0.1:1").startTls()),
  }),
  members: () => ({ workers: types(workers), email: types(email), sockets: types(sockets), workflows: types(workflows) }),
  withEnv: async () => {
    const inner = { NAME: "inside" };
    return {
      before: env.NAME,
      inside: withEnv(inner, () => env.NAME),
      awaited: await withEnv(inner, async () => {
        await scheduler.wait(1);
        return env.NAME;
      }),
      nested: withEnv(inner, () => [withEnv({ NAME: "deeper" }, () => env.NAME), env.NAME]),
      thrown: await attempt(() => withEnv(inner, () => {
        throw new RangeError("from inside");
      })),
      keys: withEnv({ A: 1, B: 2 }, () => [Object.keys(env), "A" in env, "NAME" in env]),
      after: env.NAME,
    };
  },
  errors: async () => {
    const error = new NonRetryableError("no more", "Own");
    return {
      error: [error instanceof Error, error.name, error.message, new NonRetryableError("x").name],
      flow: [Object.getPrototypeOf(Flow) === WorkflowEntrypoint],
      message: await attempt(() => new email.EmailMessage("a@example.com", "b@example.com", "text").from),
    };
  },
};

export default {
  async fetch(request) {
    const url = new URL(request.url);
    return Response.json(await cases[url.pathname.slice(1)](url));
  },
};
