let runs = 0;
let go = Promise.withResolvers();

/** Waits until another request lets it go. */
export default async function (event) {
  if (event.url.search === "?go") {
    go.resolve();
    go = Promise.withResolvers();
    return { value: `ran ${runs} times` };
  }
  runs += 1;
  const { promise } = go;
  const name = event.request.method === "POST" ? (await event.request.formData()).get("by") : "a link";
  await promise;
  return { value: `slow by ${name}` };
}
