// The executable under test, and a client without a socket.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Longer than anything here takes. */
const PATIENCE_MS = 15_000;

/** The path of the executable under test. */
export function executable() {
  const path = process.env.LIVELINE_BIN;
  if (!path) throw new Error("LIVELINE_BIN must name the liveline executable: `cargo xtask test` does this");
  return path;
}

/** `liveline serve` on a folder, ready to answer. */
export async function startHost(folder) {
  const child = spawn(executable(), ["serve", folder, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /^listening on (.+)$/.exec(line) ?? [];
    if (url === undefined) continue;
    const stop = async () => {
      child.kill();
      await once(child, "exit");
    };
    return { url, stop };
  }
  throw new Error("the host ended before it listened");
}

/** Asks the handler at the root by a message of a type, and returns its reply. */
export async function askHandler(url, type) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(url, { headers: { "X-Accept-Live": "*" }, signal });
  const line = new URL(answer.headers.get("X-Live-Session").replace("socket://", ""), url);
  const events = await fetch(line, { headers: { Accept: "text/event-stream" }, signal });
  const frames = [
    { ping: "connect", ".wq": { type: "message", eventID: "hello", numPorts: 1 } },
    { message: null, ".wq": { type, eventID: "asked", numPorts: 1 } },
  ];
  await fetch(line, { method: "POST", body: frames.map((frame) => JSON.stringify(frame)).join("\n"), signal });
  let text = "";
  for await (const bytes of events.body.pipeThrough(new TextDecoderStream())) {
    text += bytes;
    const complete = text.slice(0, text.lastIndexOf("\n\n") + 1).split("\n");
    const data = complete.filter((line) => line.startsWith("data: ")).map((line) => JSON.parse(line.slice(6)));
    const reply = data.find((frame) => frame[".wq"]?.type === "asked:0:message");
    if (reply !== undefined) return reply.message;
  }
  throw new Error(`the line ended without a reply:\n${text}`);
}
