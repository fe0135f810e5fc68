import { attempt, exactly } from "./shared/show.mjs";

async function seen(response) {
  return { status: response.status, statusText: response.statusText, headers: [...response.headers].filter(([name]) => name.startsWith("x-") || name === "set-cookie" || name === "location"), body: await response.text() };
}

export const fetching = {
  async requests({ env }) {
    const stub = env.ROOM.getByName("requests");
    const json = async (...given) => (await stub.fetch(...given)).json();
    return {
      url: await json("http://any.host/path?q=1"),
      secure: await json("https://other.host:8443/"),
      init: await json("http://x/", { method: "POST", body: "text", headers: { "x-header": "v" } }),
      request: await json(new Request("http://x/r", { method: "PUT", body: "put", headers: { "x-a": "1" } })),
      requestAndInit: await json(new Request("http://x/r", { headers: { "x-a": "1" } }), { headers: { "x-b": "2" }, method: "PATCH" }),
      urlObject: await json(new URL("http://x/u#hash")),
      relative: await attempt(() => stub.fetch("/relative")),
      none: await attempt(() => stub.fetch()),
      getWithBody: await attempt(() => stub.fetch("http://x/", { body: "no" })),
      lowerMethod: (await json("http://x/", { method: "post", body: "" })).method,
      customMethod: await attempt(async () => (await json("http://x/", { method: "PURGE" })).method),
    };
  },

  async answers({ env }) {
    const stub = env.ROOM.getByName("answers");
    return {
      status: await seen(await stub.fetch("http://x/status")),
      redirect: await seen(await stub.fetch("http://x/redirect", { redirect: "manual" })),
      stream: await seen(await stub.fetch("http://x/stream")),
      read: await seen(await stub.fetch("http://x/read", { method: "POST", body: "shout" })),
    };
  },

  async bodies({ env }) {
    const stub = env.ROOM.getByName("bodies");
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const done = stub.fetch("http://x/pipe", { method: "POST", body: readable });
    for (const piece of ["a", "b", "c"]) await writer.write(new TextEncoder().encode(piece.repeat(1000)));
    await writer.close();
    const piped = await (await done).text();
    const bytes = new Uint8Array(300_000).map((_, at) => at % 251);
    const back = new Uint8Array(await (await stub.fetch("http://x/pipe", { method: "POST", body: bytes })).arrayBuffer());
    return { piped: piped.length, first: piped.slice(999, 1001), bytes: back.length, equal: back.every((byte, at) => byte === at % 251) };
  },

  async errors({ env }) {
    const stub = env.ROOM.getByName("errors");
    const caught = async (path) => {
      try {
        return (await stub.fetch(`http://x${path}`)).status;
      } catch (error) {
        return { name: error.name, message: error.message, isError: error instanceof Error, type: error.constructor.name, remote: error.remote, retryable: error.retryable, overloaded: error.overloaded, code: error.code };
      }
    };
    const first = await (await stub.fetch("http://x/number")).json();
    const result = { thrown: await caught("/throw"), text: await caught("/throw-text"), own: await caught("/throw-own"), nothing: await attempt(() => stub.fetch("http://x/nothing")) };
    const last = await (await stub.fetch("http://x/number")).json();
    return { ...result, sameInstance: first.number === last.number };
  },

  /** A response of an object passed on, read at the client. */
  passed: undefined,

  async noHandler({ env }) {
    return exactly(() => env.OTHER.getByName("none").fetch("http://x/"));
  },

  async plain({ env }) {
    const stub = env.PLAIN.getByName("plain");
    return {
      first: await (await stub.fetch("http://x/a")).json(),
      second: await (await stub.fetch("http://x/b")).json(),
      method: await exactly(() => stub.method()),
    };
  },
};
delete fetching.passed;
