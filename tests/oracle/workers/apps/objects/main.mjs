// Each request `/CASE` runs a case in the Worker, which uses the namespaces.

import { answer } from "./shared/show.mjs";
import { ids } from "./ids.mjs";
import { fetching } from "./fetching.mjs";
import { lives } from "./lives.mjs";

export { Broken, Other, Plain, Room } from "./classes.mjs";

const cases = { ...ids, ...fetching, ...lives };

export default {
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    return answer(cases, url.pathname.slice(1), { env, ctx, request, query: url.searchParams });
  },
};
