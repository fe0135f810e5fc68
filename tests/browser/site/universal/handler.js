"use universal";

const place = globalThis.document ? "page" : globalThis.registration ? "worker" : "server";

/** Says where it runs, before what those behind it say. */
export default async function (event, next) {
  if (place === "server") return { value: "server" };
  const answer = await next();
  if (!answer.headers.get("content-type")?.includes("json")) return answer;
  return { value: `${place} ${(await answer.json()).value}` };
}
