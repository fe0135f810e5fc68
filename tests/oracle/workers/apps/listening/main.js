// A Worker in the older format: a script without exports, which listens.

const seen = [];
const NAMED = NAME;

addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === "/other") return;
  const answer = handlers[pathname];
  if (answer !== undefined) event.respondWith(answer(event));
});

addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === "/other") event.respondWith(new Response("the other listener"));
});

addEventListener("scheduled", (event) => {
  event.waitUntil((async () => {
    await null;
    seen.push([event.type, event.cron, typeof event.scheduledTime]);
  })());
});

const handlers = {
  "/plain": (event) => new Response(`${event.type} ${NAMED} ${event.request.method} ${event instanceof Event}`),
  "/later": async (event) => {
    event.waitUntil(KV.put("key", "value"));
    await null;
    return new Response("later");
  },
  "/kv": async () => new Response(await KV.get("key")),
  "/twice": (event) => {
    event.respondWith(new Response("first"));
    return new Response("second");
  },
  "/too-late": (event) => {
    event.waitUntil((async () => {
      await null;
      try {
        event.respondWith(new Response("late"));
        seen.push("taken");
      } catch (error) {
        seen.push(error.name);
      }
    })());
    return new Response("in time");
  },
  "/throwing": () => {
    throw new Error("of the listener");
  },
  "/rejected": async () => {
    throw new Error("of the listener");
  },
  "/nothing": async () => undefined,
  "/seen": () => Response.json(seen),
};
