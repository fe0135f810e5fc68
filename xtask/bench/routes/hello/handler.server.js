// The benchmark's route. `generation` is what the reload benchmark edits.
const generation = 0;

export default function (event) {
  const { pathname } = event.url;
  return new Response(`${generation} ${pathname} ${event.request.headers.get("x-name")}`);
}
