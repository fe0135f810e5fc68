// The benchmark's sockets for Node with Hono.
const { Hono } = require("hono");
const { serve } = require("@hono/node-server");
const { createNodeWebSocket } = require("@hono/node-ws");

const app = new Hono();
const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });

app.get("/echo", upgradeWebSocket(() => ({ onMessage: ({ data }, socket) => socket.send(data) })));

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}`);
});
injectWebSocket(server);
