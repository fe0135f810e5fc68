import { FormDataPlus, HeadersPlus, RequestPlus } from "@webqit/fetch-plus";

const message = async (callback) => {
  try {
    return String(await callback());
  } catch (error) {
    return error.message;
  }
};

/** What client handlers can do, told to the page by the query's `do`. */
export default async function (event, next, fetch) {
  const { request, url } = event;
  switch (url.query.do) {
    case "url":
      return { value: JSON.stringify([url.query, url.segments, url.basename]) };
    case "request":
      return {
        value: JSON.stringify([
          request instanceof RequestPlus,
          request.headers instanceof HeadersPlus,
          request.headers.get("accept", true),
          await FormDataPlus.json({ a: [1] }).json(),
        ]),
      };
    case "with":
      return await next({ redirect: "./inner", with: { method: "PUT", headers: { "x-kind": "new", accept: "application/json" } } });
    case "fetch":
      return await fetch("./inner/deep", { headers: { accept: "application/json", "x-kind": "own" } });
    case "state":
      return { value: JSON.stringify(event.state) };
    case "user":
      return { value: JSON.stringify([await event.user.isSignedIn(), await event.user.get("name") ?? null]) };
    case "absent":
      return {
        value: (await Promise.all([
          () => event.thread,
          () => event.sdk,
          () => event.redirectWith,
          () => event.user.set("id", 1),
          () => next({ url: "/" }),
        ].map(message))).join(" | "),
      };
    case "wait":
      return {
        value: await new Promise((resolve) => {
          event.waitUntil(new Promise(() => {}), 1, ({ type }, done) => {
            done();
            resolve(type);
          });
        }),
      };
    default:
      return await next();
  }
}
