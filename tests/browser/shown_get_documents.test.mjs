// A page shows what its address names, with JavaScript as without: forms that look, to documents.

import { compare, DOCUMENTS, suite } from "./support/shown.mjs";

suite("forms that look to documents", (test) => {
  for (const target of DOCUMENTS) test(target, (world) => compare(world, `get-${target}`));
});
