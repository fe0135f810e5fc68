// The benchmark's sockets for Node with ws.
const { createServer } = require("node:http");
const { WebSocketServer } = require("ws");

const room = new Set();

const server = createServer((request, response) => {
  if (request.url === "/gc") global.gc();
  response.end();
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket, request) => {
  if (request.url === "/room") {
    room.add(socket);
    socket.on("close", () => room.delete(socket));
    socket.on("message", (data) => {
      for (const other of room) if (other !== socket) other.send(data, { binary: false });
    });
  } else {
    socket.on("message", (data) => socket.send(data, { binary: false }));
  }
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
