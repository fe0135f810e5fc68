// What is shown is what the address says, with JavaScript as without: links.

import { compare, suite, TARGETS } from "./support/shown.mjs";

suite("links", (test) => {
  for (const target of TARGETS) test(target, (world) => compare(world, `link-${target}`));
});
