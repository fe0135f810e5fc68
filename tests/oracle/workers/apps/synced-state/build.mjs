// Builds dist/worker.js, as RedwoodSDK's plugin for Vite does: one module that imports only what the host provides.

import { createRequire } from "node:module";
import { join } from "node:path";

export default async function build({ folder, packages }) {
  const { build: bundle } = createRequire(join(packages, "package.json"))("esbuild");
  await bundle({
    entryPoints: [join(folder, "worker.mjs")],
    outfile: join(folder, "dist/worker.js"),
    bundle: true,
    format: "esm",
    conditions: ["workerd", "worker", "react-server"],
    external: ["cloudflare:workers", "node:*", "async_hooks"],
    logLevel: "error",
  });
}
