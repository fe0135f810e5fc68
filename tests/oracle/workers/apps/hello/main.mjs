export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/env") return Response.json(env);
    if (url.pathname === "/throw") throw new TypeError("thrown on purpose");
    if (url.pathname === "/nothing") return undefined;
    return Response.json({ method: request.method, path: url.pathname, search: url.search, body: await request.text() });
  },
};
