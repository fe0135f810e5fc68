// What is shown is what the address says, with JavaScript as without: forms with a 303.

import { compare, suite, TARGETS } from "./support/shown.mjs";

suite("forms with a 303", (test) => {
  for (const target of TARGETS) test(target, (world) => compare(world, `see-${target}`));
});
