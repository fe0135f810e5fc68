/** @type {import('@webqit/webflo').Handler} */
export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 2000);

  event.respondWith({ step: 1 }, { done: false });
  await new Promise((r) => setTimeout(r, pace));
  event.respondWith({ step: 2 });
}
