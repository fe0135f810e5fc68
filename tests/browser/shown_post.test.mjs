// What is shown is what the address says, with JavaScript as without: forms that send.

import { compare, suite, TARGETS } from "./support/shown.mjs";

suite("forms that send", (test) => {
  for (const target of TARGETS) test(target, (world) => compare(world, `post-${target}`));
});
