export async function GET(event, next) {
  if (next.stepname) return await next(); // The conventional delegation line

  event.respondWith({ step: 1 }, { done: false });
  await new Promise((r) => setTimeout(r, 500));
  event.respondWith({ step: 2 });
}
