// Our host.

import { Process } from "../harness/process.mjs";

/** Starts it on an application's folder. `environment` is that of wrangler's configuration. */
export async function start({ folder, data, environment, command = "serve", options = [] }) {
  const executable = process.env.LIVELINE_BIN;
  if (!executable) throw new Error("LIVELINE_BIN must name the liveline executable: `cargo xtask oracle` does this");
  const arguments_ = [command, folder, "--data", data, ...options];
  if (environment) arguments_.push("--env", environment);
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
    // A restarted host listens where it was: clients look for it there.
    const port = host.origin === "" ? "0" : new URL(host.origin).port;
    process_ = new Process(executable, [...arguments_, "--port", port]);
    try {
      host.origin = (await process_.prints(/listening on (http:\/\/\S+)/))[1];
    } catch (error) {
      await process_.stop("SIGKILL");
      throw error;
    }
  }
  await begin();
  return host;
}
