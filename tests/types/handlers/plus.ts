// What handlers write with `@webqit/fetch-plus`, and with what the event has of Webflo's.

import { FormDataPlus, fetchPlus, HeadersPlus, LiveResponse, RequestPlus, ResponsePlus } from "@webqit/fetch-plus";
import type { Handler } from "@webqit/webflo";

export const POST: Handler = async function (event, next, fetch) {
  const tags: readonly string[] = event.url.segments;
  const { page = "1" } = event.url.query;
  const quality: number | undefined = event.request.headers.get("accept", true)?.match("text/html");
  const form = await event.request.formData();
  const { result, isDirectlySerializable } = await form.json({ meta: true });
  const back: string | undefined = await event.thread.consume("back");
  const statuses: unknown[] = await event.thread.get("status", true);
  if (back !== undefined) return event.redirectWith(back, { status: "Saved." }, 303);
  await event.waitUntil(Promise.resolve(), 1000, ({ type, data }, resolve) => type === "user" && resolve(data));
  await next({ redirect: "/other", with: { method: "PUT" } });
  await next({ with: { headers: { "x-page": page } } });
  await fetch("./below");
  const copied = await RequestPlus.copy(event.request, { method: "GET" });
  const upstream = await fetchPlus(copied.url, { live: true });
  const headers = new HeadersPlus();
  headers.append("Set-Cookie", { name: "a", value: "1", maxAge: 5 });
  const live: LiveResponse = LiveResponse.from(upstream);
  console.log(tags, quality, result, isDirectlySerializable, statuses, await upstream.any({ to: "json" }), live.body, this.filename);
  // @ts-expect-error: no such target
  await event.request.any({ to: "xml" });
  // @ts-expect-error: the parts of a URL are not changed
  event.url.segments.push("x");
  return ResponsePlus.from({ form: FormDataPlus.json({ a: [1] }) }, { status: 201 });
};
