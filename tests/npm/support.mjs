// What the handlers of the table talk to, and how liveline is started over them.

import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";
import { Server as SocketIO } from "socket.io";
import { WebSocketServer } from "ws";

/** Milliseconds until a line of the log must have arrived. */
const LOG_PATIENCE = 10_000;

const OPENAI = { id: "1", object: "chat.completion", created: 0, model: "test" };

/** Answers with the request, in pieces, or as the API of a language model does. */
async function answer(request, response) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/missing") return response.writeHead(404).end("no such page");
  if (pathname === "/chunks") {
    for (const chunk of ["one ", "two ", "three"]) response.write(chunk);
    return response.end();
  }
  if (pathname === "/openai/chat/completions") {
    if (!JSON.parse(body).stream) {
      const message = { role: "assistant", content: "Hello" };
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify({ ...OPENAI, choices: [{ index: 0, message, finish_reason: "stop" }] }));
    }
    response.setHeader("content-type", "text/event-stream");
    for (const content of ["Hel", "lo"]) {
      response.write(`data: ${JSON.stringify({ ...OPENAI, choices: [{ index: 0, delta: { content } }] })}\n\n`);
    }
    return response.end("data: [DONE]\n\n");
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
}

/** An SMTP server that accepts everything and keeps the mails. */
function smtp(mails) {
  return net.createServer((socket) => {
    socket.on("error", () => {});
    socket.write("220 test\r\n");
    let mail = null;
    createInterface({ input: socket, crlfDelay: Infinity }).on("line", (line) => {
      if (mail !== null) {
        if (line !== ".") return mail.push(line);
        mails.push(mail.join("\n"));
        mail = null;
        return socket.write("250 kept\r\n");
      }
      const [word] = line.toUpperCase().split(/[ :]/);
      if (word === "EHLO") return socket.write("250-test\r\n250 8BITMIME\r\n");
      if (word === "DATA") {
        mail = [];
        return socket.write("354 go on\r\n");
      }
      if (word === "QUIT") return socket.end("221 bye\r\n");
      socket.write("250 ok\r\n");
    });
  });
}

async function listening(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

/** Starts the servers. Returns the environment that handlers find them by, what they received, and what ends them. */
export async function startServers() {
  const mails = [];
  const web = http.createServer((request, response) => void answer(request, response));
  const sockets = http.createServer();
  new WebSocketServer({ server: sockets, perMessageDeflate: true }).on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const rooms = http.createServer();
  const io = new SocketIO(rooms);
  io.on("connection", (socket) => {
    socket.emit("greeting", "hello");
    socket.on("double", (number, reply) => reply(number * 2));
  });
  const mail = smtp(mails);
  const closed = net.createServer();
  const ports = await Promise.all([web, sockets, rooms, mail, closed].map(listening));
  closed.close();
  const environment = {
    HTTP_SERVER: `http://127.0.0.1:${ports[0]}`,
    WS_SERVER: `ws://127.0.0.1:${ports[1]}`,
    SOCKET_IO_SERVER: `http://127.0.0.1:${ports[2]}`,
    SMTP_PORT: String(ports[3]),
    CLOSED_PORT: String(ports[4]),
  };
  const stop = () => {
    io.close();
    for (const server of [web, sockets, mail]) server.close();
    for (const server of [web, sockets]) server.closeAllConnections();
  };
  return { environment, mails, stop };
}

/** Starts liveline over a folder. Resolves with its origin, fails with what it logged. */
export function serve(folder, environment) {
  const program = process.env.LIVELINE_BIN;
  const flags = ["serve", folder, "--port", "0", "--cpu-timeout", "10s", "--log-format", "json"];
  const child = spawn(program, flags, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const started = new Promise((resolve, reject) => {
    const read = (chunk) => {
      log += chunk;
      const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0];
      if (origin !== undefined) resolve(origin);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.on("error", reject);
    child.on("exit", () => reject(new Error(log.trim())));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  };
  /** Waits until the log, which arrives after the answers, has a match. */
  const logged = async (pattern) => {
    const signal = AbortSignal.timeout(LOG_PATIENCE);
    try {
      while (!pattern.test(log)) await once(child.stderr, "data", { signal });
    } catch {
      throw new Error(`no ${pattern} in the log:\n${log}`);
    }
  };
  return { started, stop, log: () => log, logged };
}
