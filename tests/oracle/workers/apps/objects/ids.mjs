import { attempt } from "./shared/show.mjs";

export const ids = {
  names({ env }) {
    const one = env.ROOM.idFromName("one");
    const again = env.ROOM.idFromName("one");
    const two = env.ROOM.idFromName("two");
    return {
      hex: /^[0-9a-f]{64}$/.test(one.toString()),
      texts: [one.toString(), again.toString(), two.toString(), env.OTHER.idFromName("one").toString()],
      equals: [one.equals(again), one.equals(two), one.equals(env.OTHER.idFromName("one"))],
      name: one.name,
      template: `${one}` === one.toString(),
      json: JSON.stringify({ name: one.name }),
    };
  },

  async oddNames({ env }) {
    const result = {};
    for (const [label, name] of Object.entries({ empty: "", long: "n".repeat(5000), unicode: "\u00e9\u{1F600}", space: " a ", number: 5, null: null, object: {} })) {
      result[label] = await attempt(() => {
        const id = env.ROOM.idFromName(name);
        return { hex: id.toString().length, name: id.name?.slice(0, 10) };
      });
    }
    result.none = await attempt(() => env.ROOM.idFromName());
    result.numberIsText = env.ROOM.idFromName(5).equals(env.ROOM.idFromName("5"));
    return result;
  },

  async unique({ env }) {
    const one = env.ROOM.newUniqueId();
    const two = env.ROOM.newUniqueId();
    const back = env.ROOM.idFromString(one.toString());
    return {
      different: !one.equals(two),
      hex: /^[0-9a-f]{64}$/.test(one.toString()),
      name: one.name,
      back: [back.equals(one), back.toString() === one.toString(), back.name],
      jurisdiction: await attempt(() => typeof env.ROOM.newUniqueId({ jurisdiction: "eu" }).toString()),
      unknownJurisdiction: await attempt(() => env.ROOM.newUniqueId({ jurisdiction: "moon" })),
      sub: await attempt(() => typeof env.ROOM.jurisdiction("eu").idFromName),
      sameObject: [await env.ROOM.get(one).count(), await env.ROOM.get(back).count(), await env.ROOM.get(two).count()],
    };
  },

  async strings({ env }) {
    const named = env.ROOM.idFromName("strings");
    const back = env.ROOM.idFromString(named.toString());
    return {
      equal: back.equals(named),
      nameLost: back.name,
      upper: await attempt(() => env.ROOM.idFromString(named.toString().toUpperCase()).equals(named)),
      foreign: await attempt(() => env.OTHER.idFromString(named.toString())),
      foreignUnique: await attempt(() => env.OTHER.idFromString(env.ROOM.newUniqueId().toString())),
      zeros: await attempt(() => env.ROOM.idFromString("0".repeat(64))),
      short: await attempt(() => env.ROOM.idFromString("abc")),
      notHex: await attempt(() => env.ROOM.idFromString("g".repeat(64))),
      empty: await attempt(() => env.ROOM.idFromString("")),
      none: await attempt(() => env.ROOM.idFromString()),
    };
  },

  async getting({ env }) {
    const foreign = env.OTHER.idFromName("x");
    return {
      foreign: await attempt(() => env.ROOM.get(foreign).count()),
      text: await attempt(() => env.ROOM.get("text")),
      none: await attempt(() => env.ROOM.get()),
      hint: await attempt(() => env.ROOM.get(env.ROOM.idFromName("hinted"), { locationHint: "weur" }).count()),
      byName: await attempt(() => env.ROOM.getByName("by name").count()),
      sameByName: await env.ROOM.get(env.ROOM.idFromName("by name")).count(),
      byNothing: await attempt(() => env.ROOM.getByName()),
      stub: { id: env.ROOM.getByName("by name").id.toString(), name: env.ROOM.getByName("by name").name, nameOfUnique: env.ROOM.get(env.ROOM.newUniqueId()).name },
    };
  },

  async inside({ env }) {
    const named = env.ROOM.idFromName("inside");
    const unique = env.ROOM.newUniqueId();
    return {
      named: [named.toString(), await env.ROOM.get(named).whoAmI()],
      byString: await env.ROOM.get(env.ROOM.idFromString(named.toString())).whoAmI(),
      unique: [unique.toString(), await env.ROOM.get(unique).whoAmI()],
    };
  },

  binding: ({ env }) => ({
    type: typeof env.ROOM,
    constructor: env.ROOM.constructor.name,
    stub: env.ROOM.getByName("x").constructor.name,
    id: env.ROOM.idFromName("x").constructor.name,
    keys: Object.keys(env).sort(),
  }),
};
