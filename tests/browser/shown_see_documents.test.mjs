// A page shows what its address names, with JavaScript as without: forms with a 303, to documents.

import { compare, DOCUMENTS, suite } from "./support/shown.mjs";

suite("forms with a 303 to documents", (test) => {
  for (const target of DOCUMENTS) test(target, (world) => compare(world, `see-${target}`));
});
