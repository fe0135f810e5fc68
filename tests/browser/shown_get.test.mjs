// What is shown is what the address says, with JavaScript as without: forms that look.

import { compare, suite, TARGETS } from "./support/shown.mjs";

suite("forms that look", (test) => {
  for (const target of TARGETS) test(target, (world) => compare(world, `get-${target}`));
});
