// The handlers of the rehearsal. Their requests take the ways that the first requests of most sites take. They use
// nothing but what every handler has.
(() => {
  /** States that follow each other. */
  async function* states() {
    yield { state: 1 };
    yield { state: 2 };
  }

  return [
    { GET: () => "text" },
    { GET: () => ({ json: true, list: [1, "two", null] }) },
    { default: async () => await { json: true } },
    {
      default(event) {
        const { pathname, searchParams } = event.url;
        return new Response(`${pathname} ${searchParams.get("q")} ${event.request.headers.get("x-name")}`);
      },
    },
    { GET: async (event) => Response.json({ method: event.request.method, url: event.request.url }) },
    {
      GET(event) {
        const headers = new Headers({ "cache-control": "no-store" });
        headers.set("x-count", String([...event.request.headers].length));
        headers.append("set-cookie", "a=b");
        return new Response(JSON.stringify(event.request.headers.has("accept")), { status: 201, headers });
      },
    },
    { POST: async (event) => Response.json(await event.request.json()) },
    { POST: async (event) => new Response(await event.request.text(), { headers: { "content-type": "text/plain" } }) },
    {
      GET(event) {
        throw new TypeError(`as rehearsed: ${event.request.method}`);
      },
    },
    { GET: () => new Response(null, { status: 404 }) },
    { GET: () => Response.redirect("http://localhost/elsewhere", 303) },
    { GET: states },
    {
      async GET(event) {
        const response = new LiveResponse({ state: 1 }, { done: false });
        event.respondWith(response);
        await Promise.resolve();
        response.replaceWith({ state: 2 });
        event.client.addEventListener("message", () => {});
        event.client.postMessage({ hello: true });
      },
    },
    {
      GET() {
        const { 0: client, 1: server } = new WebSocketPair();
        server.accept();
        server.addEventListener("message", (message) => server.send(message.data));
        server.addEventListener("close", () => {});
        return new Response(null, { status: 101, webSocket: client });
      },
    },
    { GET: () => ({ title: "page", list: [1, 2] }) },
    { default: async (event, next) => event.url.search === "" ? next() : await next() },
    { default: (event) => ({ after: event.url.pathname }) },
  ];
})();
