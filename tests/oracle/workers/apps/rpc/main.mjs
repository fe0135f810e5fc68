// Each request `/CASE` runs a case in the Worker, which calls an object of its own by RPC.

import { answer } from "./shared/show.mjs";
import { calls } from "./calls.mjs";
import { entrypoints } from "./entrypoints.mjs";
import { functions } from "./functions.mjs";
import { streams } from "./streams.mjs";

export { Callee } from "./callee.mjs";
export { Named } from "./entrypoints.mjs";

const cases = { ...calls, ...functions, ...streams, ...entrypoints };

export default {
  fetch(request, env, ctx) {
    const name = new URL(request.url).pathname.slice(1);
    return answer(cases, name, { env, ctx, stub: env.OBJECT.getByName(name) });
  },
};
