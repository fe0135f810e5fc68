// The benchmark's routes for workerd.
const list = () => Array.from({ length: 24 }, (_, id) => ({ id, title: `Entry ${id} of a list`, on: true }));

// workerd sends no Date of its own; the others format theirs once a second, too.
let second = 0;
let date = "";

function today() {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date().toUTCString();
  }
  return date;
}

function answered(response) {
  response.headers.set("date", today());
  return response;
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/hello") {
      return answered(new Response(`0 ${pathname} ${request.headers.get("x-name")}`));
    }
    if (pathname === "/json") {
      return answered(Response.json({ path: pathname, name: request.headers.get("x-name"), list: list() }));
    }
    if (pathname.startsWith("/params/")) {
      const [, , shop, item] = pathname.split("/");
      return answered(new Response(`${shop} ${item} ${searchParams.get("page")} ${searchParams.get("sort")}`));
    }
    if (pathname === "/headers") {
      const response = new Response("headers");
      for (let index = 1; index <= 8; index++) {
        response.headers.set(`x-out-${index}`, request.headers.get(`x-in-${index}`));
      }
      return answered(response);
    }
    if (pathname === "/post") return answered(new Response(`${(await request.json()).list.length}`));
    return new Response(null, { status: 404 });
  },
};
