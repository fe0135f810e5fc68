// The benchmark's route for Node, on its own http module.
const { createServer } = require("node:http");

const generation = 0;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  const body = `${generation} ${pathname} ${request.headers["x-name"]}`;
  response.writeHead(200, {
    "content-type": "text/plain;charset=UTF-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
