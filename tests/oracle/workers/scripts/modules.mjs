import { once } from "node:events";
import net from "node:net";

export const application = "modules";

async function listening(options) {
  const server = net.createServer(options, (socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export const scripts = {
  async members(t) {
    for (const path of ["/members", "/withEnv", "/errors"]) await t.request("GET", path);
  },
  async connections(t) {
    const server = await listening({ allowHalfOpen: true });
    const { port } = server.address();
    await t.request("GET", `/echo?port=${port}`, { as: "GET /echo" });
    await t.request("GET", `/byob?port=${port}`, { as: "GET /byob" });
    server.close();
    const gone = await listening();
    const { port: closed } = gone.address();
    await new Promise((resolve) => gone.close(resolve));
    await t.request("GET", `/refused?port=${closed}`, { as: "GET /refused" });
    await t.request("GET", "/addresses");
  },
};
