// WebSockets that the Worker itself answers with, and those of an object.

import { answer } from "./shared/show.mjs";
import { Room } from "./room.mjs";
import { inside } from "./inside.mjs";
import { sockets } from "./sockets.mjs";

export { Room };

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const [, first, second] = url.pathname.split("/");
    if (first === "room") return env.ROOM.getByName(second).fetch(request);
    if (first === "inside") return answer(inside, second, { env, ctx });
    if (!sockets[first]) return new Response("there is no such socket", { status: 404 });
    return sockets[first]({ request, env, ctx, url });
  },
};
