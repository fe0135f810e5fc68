// Fastify on Node, started by `fastify start`, as its users do.

import { join } from "node:path";
import { Process, freePort } from "../harness/process.mjs";

/** Starts it on an application's folder, whose tree begins in `app.mjs` unless `entry` names another file. */
export async function start({ folder, packages, entry = "app.mjs" }) {
  const cli = join(packages, "node_modules/fastify-cli/cli.js");
  let process_;
  const host = {
    origin: "",
    log: () => process_.output,
    async stop({ kill = false } = {}) {
      await process_.stop(kill ? "SIGKILL" : "SIGTERM");
    },
    async restart({ kill }) {
      await host.stop({ kill });
      await begin();
    },
  };
  async function begin() {
    // It cannot choose a port itself, and another process may take the one that is free now.
    const port = await freePort();
    const arguments_ = [cli, "start", "--address", "127.0.0.1", "--port", String(port), "--log-level", "info", entry];
    process_ = new Process(process.execPath, arguments_, { cwd: folder });
    try {
      await process_.prints(/Server listening at/);
    } catch (error) {
      await process_.stop("SIGKILL");
      throw error;
    }
    host.origin = `http://127.0.0.1:${port}`;
  }
  await begin();
  return host;
}
