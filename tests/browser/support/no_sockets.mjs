// A proxy as companies have them: it passes HTTP on, and refuses every WebSocket of a browser.

import { createServer, request } from "node:http";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { Lines } from "./lines.mjs";

/** A proxy in front of `target` that notes in `lines` what goes over live lines. */
export async function refuseSockets(target, lines) {
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const { method, url, rawHeaders } = incoming;
    const upstream = request({ hostname, port, method, path: url, headers: rawHeaders, agent: false });
    note(lines, incoming, upstream);
    incoming.pipe(upstream);
    upstream.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
      // An event stream is open before its first event.
      outgoing.flushHeaders();
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    outgoing.on("close", () => upstream.destroy());
  });
  server.on("upgrade", (incoming, socket, first) => {
    // A browser may have left by now.
    socket.on("error", () => socket.destroy());
    if (incoming.headers.origin !== undefined) {
      socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    } else {
      pass(incoming, socket, first, connect(port, hostname));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A handler that calls its own host does so by the address it was asked at. That is no browser behind a proxy. */
function pass({ method, url, rawHeaders }, socket, first, upstream) {
  const headers = rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
  upstream.write(`${method} ${url} HTTP/1.1\r\n${headers}\r\n`);
  upstream.write(first);
  socket.pipe(upstream).pipe(socket);
  for (const [one, other] of [[socket, upstream], [upstream, socket]]) {
    one.on("error", () => other.destroy()).on("close", () => other.destroy());
  }
}

/** Server-sent events and what is posted back. */
function note(lines, incoming, upstream) {
  const address = new URL(incoming.url, "http://line");
  if (!Lines.isLine(address.pathname)) return;
  const line = lines.at(address);
  switch (incoming.method) {
    case "POST":
      eachLine(incoming, (text) => text && line.say(text));
      break;
    case "DELETE":
      line.end();
      break;
    default:
      upstream.on("response", (answer) => noteEvents(line, answer));
      upstream.on("close", () => line.end());
  }
}

function noteEvents(line, answer) {
  let event = { name: "message", data: [] };
  eachLine(answer, (text) => {
    const [, field, value] = /^(\w*): ?(.*)$/.exec(text) ?? [];
    if (field === "event") event.name = value;
    if (field === "data") event.data.push(value);
    if (text !== "") return;
    if (event.name === "message" && event.data.length > 0) line.hear(event.data.join("\n"));
    event = { name: "message", data: [] };
  });
}

/** A stream that breaks ends like one that closes: with what came through. */
function eachLine(stream, hear) {
  createInterface(stream).on("line", hear).on("error", () => {});
}
