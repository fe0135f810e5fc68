// Instances that are made, used and closed inside of a handler: what goes wrong while a tree boots, and options.

import * as boots from "./boots.mjs";
import * as options from "./options.mjs";
import * as plugins from "./plugins.mjs";
import * as sockets from "./sockets.mjs";

const groups = { boots, options, plugins, sockets };

export default async function (fastify, opts) {
  fastify.get("/:group/:name", async (request, reply) => {
    const run = groups[request.params.group]?.[request.params.name];
    if (run === undefined) return reply.callNotFound();
    reply.type("application/json");
    return JSON.stringify(await run(), (key, value) => value === undefined ? "(undefined)" : value, 1)
      // Plugins without a name of their own are numbered.
      .replace(/-auto-\d+/g, "-auto-N");
  });
}
