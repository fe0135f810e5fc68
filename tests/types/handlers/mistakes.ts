// What the types have to find: without the error, `@ts-expect-error` is one itself.

import { LiveResponse, type Handler, type HttpEvent } from "@webqit/webflo";

export async function misused(event: HttpEvent) {
  // @ts-expect-error: no such member
  event.stream();
  // @ts-expect-error: what the event has is given
  event.client = null;
  // @ts-expect-error: a status is a number
  event.respondWith({}, { status: "201" });
  // @ts-expect-error: the reactive copy has the shape of the data
  event.respondWith({ n: 0 }, async ($data) => $data.m = 1);
  // @ts-expect-error: a promise, not a function
  event.waitUntil(() => {});
  // @ts-expect-error: a question has a message
  await event.user.confirm({ details: "Are you sure?" });
  // @ts-expect-error: the answer's data is a boolean, the answer is an event
  if ((await event.user.confirm("Sure?")) === true) return;
  // @ts-expect-error: `open` and `close` are the states to wait for
  await event.client.readyStateChange("done");
  // @ts-expect-error: there is nothing to reply on without an index
  event.client.addEventListener("ask", (e) => e.ports.postMessage(1));
  // @ts-expect-error: only these three
  await event.cookies.set("theme", { value: "dark", sameSite: "Sometimes" });
  // @ts-expect-error: no such attribute
  await event.cookies.set({ name: "theme", value: "dark", httponly: true });
  // @ts-expect-error: which one
  await event.cookies.delete({ path: "/x" });
  // @ts-expect-error: a map, not an object
  event.session.visits += 1;
  // @ts-expect-error: `live` or `done`
  await new LiveResponse({ a: 1 }).readyStateChange("over");
  // @ts-expect-error: the state of a response is replaced, not assigned
  new LiveResponse({ a: 1 }).body = { a: 2 };
  // @ts-expect-error: LiveResponse.from() takes a source
  LiveResponse.from();
}

// @ts-expect-error: a handler is called with three arguments
export const greedy: Handler = (event, next, fetch, more) => more;
