// A network between a browser and a host that can be cut, and be down for a while.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @param {string} target the host's URL */
export async function networkTo(target) {
  const { hostname, port } = new URL(target);
  const passing = new Set();
  let isUp = true;
  const server = createServer((client) => {
    if (!isUp) return client.resetAndDestroy();
    const upstream = connect(port, hostname);
    const pair = [client, upstream];
    passing.add(pair);
    client.pipe(upstream).pipe(client);
    for (const [one, other] of [pair, pair.toReversed()]) {
      one.on("error", () => other.destroy()).on("close", () => {
        other.destroy();
        passing.delete(pair);
      });
    }
  });
  const cut = () => {
    for (const pair of passing) pair.forEach((socket) => socket.resetAndDestroy());
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut,
    down() {
      isUp = false;
      cut();
    },
    up() {
      isUp = true;
    },
    stop() {
      server.close();
      cut();
    },
  };
}
