// The benchmark's routes for bun. `generation` is what the reload benchmark edits.
const generation = 0;

const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, server) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/hello") {
      return new Response(`${generation} ${pathname} ${request.headers.get("x-name")}`);
    }
    if (pathname === "/json") {
      return Response.json({ path: pathname, name: request.headers.get("x-name"), list: list() });
    }
    if (pathname.startsWith("/params/")) {
      const [, , shop, item] = pathname.split("/");
      return new Response(`${shop} ${item} ${searchParams.get("page")} ${searchParams.get("sort")}`);
    }
    if (pathname === "/headers") {
      const headers = new Headers();
      for (let index = 1; index <= 8; index++) {
        headers.set(`x-out-${index}`, request.headers.get(`x-in-${index}`));
      }
      return new Response("headers", { headers });
    }
    if (pathname === "/post") return new Response(`${(await request.json()).list.length}`);
    if (pathname === "/gc") return new Response(`${Bun.gc(true)}`);
    if (server.upgrade(request, { data: pathname })) return;
    return new Response(null, { status: 404 });
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    // Nobody's messages are dropped while the loader is behind.
    backpressureLimit: 64 * 1024 * 1024,
    open(socket) {
      if (socket.data === "/room") socket.subscribe("room");
    },
    message(socket, message) {
      if (socket.data === "/room") socket.publish("room", message);
      else socket.send(message);
    },
  },
});

console.log(`listening on http://127.0.0.1:${server.port}`);
