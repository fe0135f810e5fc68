// The benchmark's routes for deno.
const generation = 0;

const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));
const room = new Set();

const onListen = ({ port }) => console.log(`listening on http://127.0.0.1:${port}`);

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, async (request) => {
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
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  if (pathname === "/room") {
    socket.onopen = () => room.add(socket);
    socket.onmessage = ({ data }) => room.forEach((other) => other !== socket && other.send(data));
    socket.onclose = () => room.delete(socket);
  } else {
    socket.onmessage = ({ data }) => socket.send(data);
  }
  return response;
});
