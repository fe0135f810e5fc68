// Frames as bytes, for what no WebSocket client sends.

import { connect } from "node:net";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** Opens a socket by hand, sends bytes, and notes the code of the close frame (or that there was none). */
export async function raw(t, path, name, bytes) {
  const { hostname, port } = new URL(t.origin);
  const client = connect(Number(port), hostname);
  const received = [];
  client.on("error", () => {});
  client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`);
  let sent = false;
  await new Promise((resolve) => {
    client.on("data", (piece) => {
      received.push(piece);
      if (sent || !Buffer.concat(received).includes("\r\n\r\n")) return;
      sent = true;
      client.write(Buffer.from(bytes));
    });
    client.on("close", resolve);
    setTimeout(resolve, 10_000).unref();
  });
  client.destroy();
  const all = Buffer.concat(received);
  const frames = all.subarray(all.indexOf("\r\n\r\n") + 4);
  const isClose = frames[0] === 0x88;
  t.note(name, isClose ? { code: frames[1] >= 2 ? frames.readUInt16BE(2) : 1005 } : { ended: client.destroyed });
}
