// A page shows what its address names, with JavaScript as without: forms with a 303, to states.

import { compare, STATES, suite } from "./support/shown.mjs";

suite("forms with a 303 to states", (test) => {
  for (const target of STATES) test(target, (world) => compare(world, `see-${target}`));
});
