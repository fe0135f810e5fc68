// A page shows what its address names, with JavaScript as without: links, to states.

import { compare, STATES, suite } from "./support/shown.mjs";

suite("links to states", (test) => {
  for (const target of STATES) test(target, (world) => compare(world, `link-${target}`));
});
