// When instances begin and end.

import { attempt, exactly } from "./shared/show.mjs";

export const lives = {
  async same({ env }) {
    const stub = env.ROOM.getByName("same");
    const number = async (it) => (await (await it.fetch("http://x/number")).json());
    const first = await number(stub);
    const second = await number(env.ROOM.get(env.ROOM.idFromName("same")));
    const other = await number(env.ROOM.getByName("other"));
    return { same: first.number === second.number, visits: [first.visits, second.visits, other.visits], other: other.number === first.number };
  },

  async aborted({ env }) {
    const name = "aborted";
    const before = await (await env.ROOM.getByName(name).fetch("http://x/number")).json();
    const stub = env.ROOM.getByName(name);
    const abort = await exactly(() => stub.fetch("http://x/abort"));
    const oldStub = await exactly(async () => (await stub.fetch("http://x/number")).status);
    const after = await (await env.ROOM.getByName(name).fetch("http://x/number")).json();
    return { abort, oldStub, fresh: after.number !== before.number, visits: after.visits };
  },

  async brokenConstructor({ env }) {
    const name = "broken";
    return {
      first: await exactly(() => env.BROKEN.getByName(name).hello()),
      second: await exactly(() => env.BROKEN.getByName(name).hello()),
      third: await exactly(() => env.BROKEN.getByName(name).hello()),
    };
  },

  async unused({ env }) {
    env.BROKEN.getByName("never used");
    env.BROKEN.get(env.BROKEN.newUniqueId());
    return attempt(() => "ids and stubs make no object");
  },

  async exports({ ctx }) {
    const names = ctx.exports ? Object.keys(ctx.exports).sort() : "none";
    return { names, room: await attempt(() => ctx.exports.Room.getByName("through exports").count()), props: ctx.props };
  },
};
