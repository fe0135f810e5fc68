// A page shows what its address names, with JavaScript as without: links, to documents.

import { compare, DOCUMENTS, suite } from "./support/shown.mjs";

suite("links to documents", (test) => {
  for (const target of DOCUMENTS) test(target, (world) => compare(world, `link-${target}`));
});
