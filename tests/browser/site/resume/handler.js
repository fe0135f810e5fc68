let runs = 0;

/** Counts on request, and says again what it is told. */
export default async function (event, next) {
  if (next.stepname) return await next();
  runs += 1;
  const run = runs;
  let count = 0;
  event.client.addEventListener("count", () => {
    count += 1;
    event.respondWith({ value: `run ${run}, count ${count}` }, { done: false });
  });
  event.client.addEventListener("say", ({ data }) => event.client.postMessage(`heard ${data}`));
  event.client.addEventListener("close", ({ code }) => console.log(`run ${run} closed with ${code}`));
  event.respondWith({ value: `run ${run}, count 0` }, { done: false });
}
