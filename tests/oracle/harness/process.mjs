// A host's process: its outputs, and its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { PATIENCE, until, within } from "./patience.mjs";

/** The processes that run; none outlives this one. */
const running = new Set();
process.on("exit", () => {
  for (const it of running) it.signal("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Process {
  #child;
  #output = "";
  #command;

  constructor(command, arguments_, options = {}) {
    this.#command = `${command} ${arguments_.join(" ")}`;
    // A group of its own: the host's helpers end with it.
    this.#child = spawn(command, arguments_, { stdio: ["ignore", "pipe", "pipe"], detached: true, ...options });
    running.add(this);
    const keep = (chunk) => (this.#output += chunk);
    this.#child.stdout.on("data", keep);
    this.#child.stderr.on("data", keep);
    this.#child.on("error", (error) => (this.#output += `${error}\n`));
  }

  get output() {
    return this.#output;
  }

  get hasEnded() {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits until the output matches; returns the match. */
  async prints(pattern) {
    const found = await until(
      () => this.#output.match(pattern) ?? (this.hasEnded ? "ended" : null),
      `${pattern} in the output of \`${this.#command}\``,
      PATIENCE * 2,
    ).catch((error) => {
      throw new Error(`${error.message}:\n${this.#output}`);
    });
    if (found === "ended") throw new Error(`\`${this.#command}\` ended:\n${this.#output}`);
    return found;
  }

  /** Ends the process: by `signal`, and by SIGKILL if that does not suffice. */
  async stop(signal = "SIGTERM") {
    if (this.hasEnded) return;
    const exit = once(this.#child, "exit");
    this.signal(signal);
    try {
      await within(exit, "the end of the host", 10_000);
    } catch {
      this.signal("SIGKILL");
      await exit;
    }
    // Helpers that outlive their parent.
    this.signal("SIGKILL");
    running.delete(this);
  }

  /** Sends a signal to the process and its helpers. */
  signal(signal) {
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The whole group has ended.
    }
  }
}

/** A port that is free now, for hosts that cannot choose one themselves. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
