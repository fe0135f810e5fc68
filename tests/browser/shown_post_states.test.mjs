// A page shows what its address names, with JavaScript as without: forms that send, to states.

import { compare, STATES, suite } from "./support/shown.mjs";

// A handler of the page answers that one; see shown_handlers.
const targets = STATES.filter((target) => target !== "client");

suite("forms that send to states", (test) => {
  for (const target of targets) test(target, (world) => compare(world, `post-${target}`));
});
