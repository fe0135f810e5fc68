// The benchmark's routes for uWebSockets.js.
const uWS = require("@rjweb/uws");

const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));

function answer(response, type, body, headers = []) {
  response.writeHeader("content-type", type);
  for (const [name, value] of headers) response.writeHeader(name, value);
  response.end(body);
}

const TEXT = "text/plain;charset=UTF-8";

const socket = {
  idleTimeout: 0,
  compression: uWS.DISABLED,
  // Nobody's messages are dropped while the loader is behind.
  maxBackpressure: 64 * 1024 * 1024,
};

const app = uWS.App();
app.get("/hello", (response, request) => {
  answer(response, TEXT, `0 ${request.getUrl()} ${request.getHeader("x-name")}`);
});
app.get("/json", (response, request) => {
  const body = { path: request.getUrl(), name: request.getHeader("x-name"), list: list() };
  answer(response, "application/json", JSON.stringify(body));
});
app.get("/params/*", (response, request) => {
  const query = new URLSearchParams(request.getQuery());
  const [, , shop, item] = request.getUrl().split("/");
  answer(response, TEXT, `${shop} ${item} ${query.get("page")} ${query.get("sort")}`);
});
app.get("/headers", (response, request) => {
  const headers = [];
  for (let index = 1; index <= 8; index++) {
    headers.push([`x-out-${index}`, request.getHeader(`x-in-${index}`)]);
  }
  answer(response, TEXT, "headers", headers);
});
app.post("/post", (response) => {
  let body = Buffer.alloc(0);
  response.onAborted(() => {});
  response.onData((chunk, isLast) => {
    body = Buffer.concat([body, Buffer.from(chunk)]);
    if (isLast) response.cork(() => answer(response, TEXT, `${JSON.parse(body).list.length}`));
  });
});
app.ws("/room", {
  ...socket,
  open: (client) => client.subscribe("room"),
  message: (client, message, isBinary) => client.publish("room", message, isBinary),
});
for (const path of ["/echo", "/idle"]) {
  app.ws(path, { ...socket, message: (client, message, isBinary) => client.send(message, isBinary) });
}
app.listen("127.0.0.1", 0, (token) => {
  console.log(`listening on http://127.0.0.1:${uWS.getSocketPort(token)}`);
});
