/** @type {import('@webqit/webflo').Handler} */
export async function POST(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1500);

  // Initiate response
  event.respondWith({ step: 1 }, { done: false });
  // Do the work
  await new Promise((r) => setTimeout(r, pace));
  // Update response
  event.respondWith({ step: 2 }, { done: false });
  await new Promise((r) => setTimeout(r, pace));

  // Redirect
  event.respondWith(null, { status: 302, headers: { Location: '/done' } });
}
