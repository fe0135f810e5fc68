import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

/** `/turn/STATUS/PATH` redirects to PATH with a status; everything else says what was asked. */
async function answer(request) {
  const { pathname, search } = new URL(request.url);
  const turn = /^\/turn\/(\d+)\/(.*)$/.exec(pathname);
  if (turn !== null) return new Response(`to ${turn[2]}`, { status: Number(turn[1]), headers: { location: `/${turn[2]}${search}` } });
  if (pathname === "/away") return new Response(null, { status: 302, headers: { location: "http://elsewhere.test/there" } });
  if (pathname === "/script") return new Response(null, { status: 302, headers: { location: "javascript:alert(1)" } });
  if (pathname === "/round") return new Response(null, { status: 302, headers: { location: "/round" } });
  if (pathname === "/nowhere") return new Response(null, { status: 302 });
  if (pathname === "/wrong") return new Response(null, { status: 302, headers: { location: "http://[" } });
  const headers = Object.fromEntries(["authorization", "content-type", "x-own"].map((name) => [name, request.headers.get(name)]));
  return Response.json({ url: request.url, method: request.method, redirect: request.redirect, headers, body: await request.text() });
}

export class Turning extends DurableObject {
  fetch(request) {
    return answer(request);
  }
}

export class Named extends WorkerEntrypoint {
  fetch(request) {
    return answer(request);
  }
}

async function seen(promise) {
  try {
    const response = await promise;
    const { status, redirected, url } = response;
    return { status, redirected, url, location: response.headers.get("location"), text: (await response.text()).trim() };
  } catch (error) {
    return { threw: error.name };
  }
}

const POST = { method: "POST", body: "sent", headers: { "x-own": "1", authorization: "secret" } };

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const to = (path) => new URL(path, "http://place.test");
    const at = { OBJECT: env.OBJECT.getByName("one"), SELF: env.SELF, ASSETS: env.ASSETS }[url.pathname.slice(1)];
    if (url.pathname === "/incoming") return Response.json({ redirect: request.redirect, copied: new Request(request).redirect });
    if (at === env.ASSETS) {
      return Response.json({
        page: await seen(at.fetch(to("/index.html"))),
        named: await seen(at.fetch("http://place.test/about.html?a=b")),
        manual: await seen(at.fetch(to("/about.html"), { redirect: "manual" })),
        passedOn: await seen(at.fetch(new Request(to("/about.html"), request))),
      });
    }
    const streamed = new Blob(["streamed"]).stream();
    return Response.json({
      followed: await seen(at.fetch(to("/turn/302/turn/301/end"))),
      query: await seen(at.fetch(to("/turn/302/end?a=b"))),
      plain: await seen(at.fetch(to("/end"))),
      post301: await seen(at.fetch(to("/turn/301/end"), POST)),
      post302: await seen(at.fetch(to("/turn/302/end"), POST)),
      post303: await seen(at.fetch(to("/turn/303/end"), POST)),
      post307: await seen(at.fetch(to("/turn/307/end"), POST)),
      post308: await seen(at.fetch(to("/turn/308/end"), POST)),
      put302: await seen(at.fetch(to("/turn/302/end"), { ...POST, method: "PUT" })),
      put303: await seen(at.fetch(to("/turn/303/end"), { ...POST, method: "PUT" })),
      head303: await seen(at.fetch(to("/turn/303/end"), { method: "HEAD" })),
      streamed: await seen(at.fetch(to("/turn/307/end"), { method: "POST", body: streamed })),
      away: await seen(at.fetch(to("/away"), { headers: { authorization: "secret", "x-own": "1" } })),
      round: await seen(at.fetch(to("/round"))),
      nowhere: await seen(at.fetch(to("/nowhere"))),
      script: await seen(at.fetch(to("/script"))),
      wrong: await seen(at.fetch(to("/wrong"))),
      manual: await seen(at.fetch(to("/turn/302/end"), { redirect: "manual" })),
      refused: await seen(at.fetch(to("/turn/302/end"), { redirect: "error" })),
      passedOn: await seen(at.fetch(new Request(to("/turn/302/end"), request))),
    });
  },
};
