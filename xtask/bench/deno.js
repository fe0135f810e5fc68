// The benchmark's route for deno.
const generation = 0;

const onListen = ({ port }) => console.log(`listening on http://127.0.0.1:${port}`);

Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, (request) => {
  const { pathname } = new URL(request.url);
  return new Response(`${generation} ${pathname} ${request.headers.get("x-name")}`);
});
