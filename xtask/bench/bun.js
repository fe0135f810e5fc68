// The benchmark's route for bun. `generation` is what the reload benchmark edits.
const generation = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url);
    return new Response(`${generation} ${pathname} ${request.headers.get("x-name")}`);
  },
});

console.log(`listening on http://127.0.0.1:${server.port}`);
