export async function POST(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  // Initiate response
  event.respondWith({ step: 1 }, { done: false });
  // Do the work
  await new Promise((r) => setTimeout(r, 200));
  // Update response
  event.respondWith({ step: 2 }, { done: false });

  // Redirect
  event.respondWith(null, { status: 302, headers: { Location: '/done' } });
}
