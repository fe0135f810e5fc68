// A page shows what its address names, with JavaScript as without: forms that look, to states.

import { compare, STATES, suite } from "./support/shown.mjs";

suite("forms that look to states", (test) => {
  for (const target of STATES) test(target, (world) => compare(world, `get-${target}`));
});
