// What is shown is what the address says, with JavaScript as without: forms with a 302.

import { compare, suite, TARGETS } from "./support/shown.mjs";

suite("forms with a 302", (test) => {
  for (const target of TARGETS) test(target, (world) => compare(world, `found-${target}`));
});
