export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/api/asset") {
      const response = await env.ASSETS.fetch(new Request(new URL(url.searchParams.get("path"), url), request));
      return Response.json({ status: response.status, type: response.headers.get("content-type"), text: (await response.text()).trim() });
    }
    if (url.pathname.startsWith("/first/")) {
      const response = await env.ASSETS.fetch(request);
      return new Response(`the Worker first, then: ${await response.text()}`, { status: response.status });
    }
    if (url.pathname === "/api/hello") return new Response("from the Worker");
    return env.ASSETS.fetch(request);
  },
};
