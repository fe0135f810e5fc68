// The executable under test, running.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Changing } from "./patience.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/**
 * `liveline dev` on a folder, of the repository if it is relative, or another `command`, with more options and
 * variables, ready to answer.
 */
export async function startHost(folder, options = [], { env = {}, command = "dev" } = {}) {
  const executable = process.env.LIVELINE_BIN;
  if (!executable) throw new Error("LIVELINE_BIN must name the liveline executable: `cargo xtask test` does this");
  const port = options.includes("--port") ? [] : ["--port", "0"];
  const arguments_ = [command, folder, ...port, ...options];
  const stdio = ["ignore", "pipe", "pipe"];
  const host = new Host(spawn(executable, arguments_, { cwd: ROOT, stdio, env: { ...process.env, ...env } }));
  try {
    const ready = await host.says("listening on ");
    host.url = ready.slice("listening on ".length);
    return host;
  } catch (error) {
    await host.stop();
    throw error;
  }
}

class Host extends Changing {
  /** Where it listens. */
  url;
  /** Every line of both outputs. */
  lines = [];
  #process;

  constructor(process) {
    super();
    this.#process = process;
    for (const output of [process.stdout, process.stderr]) {
      createInterface(output).on("line", (line) => {
        this.lines.push(line);
        this.changed();
      });
    }
  }

  /** The first line with this text. */
  says(text) {
    return this.until(
      () => this.lines.find((line) => line.includes(text)),
      () => `the host did not log "${text}"; ${this}`,
    );
  }

  async stop(signal) {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, "exit");
  }

  toString() {
    return `the host logged:\n${this.lines.join("\n")}`;
  }
}

/** Runs a test. If it fails, the error shows the windows and hosts that `witnesses` lists, as they are by then. */
export async function explain(run, witnesses) {
  try {
    await run();
  } catch (error) {
    throw new Error([error.message, ...witnesses()].join("\n"), { cause: error });
  }
}
