// The benchmark's routes for Node, on its own http module.
const { createServer } = require("node:http");

const generation = 0;

const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));

function answer(response, type, body, headers) {
  response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body), ...headers });
  response.end(body);
}

const TEXT = "text/plain;charset=UTF-8";

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  if (pathname === "/hello") {
    answer(response, TEXT, `${generation} ${pathname} ${request.headers["x-name"]}`);
  } else if (pathname === "/json") {
    const body = { path: pathname, name: request.headers["x-name"], list: list() };
    answer(response, "application/json", JSON.stringify(body));
  } else if (pathname.startsWith("/params/")) {
    const [, , shop, item] = pathname.split("/");
    answer(response, TEXT, `${shop} ${item} ${searchParams.get("page")} ${searchParams.get("sort")}`);
  } else if (pathname === "/headers") {
    const headers = {};
    for (let index = 1; index <= 8; index++) headers[`x-out-${index}`] = request.headers[`x-in-${index}`];
    answer(response, TEXT, "headers", headers);
  } else if (pathname === "/post") {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => answer(response, TEXT, `${JSON.parse(Buffer.concat(chunks)).list.length}`));
  } else {
    response.writeHead(404).end();
  }
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
