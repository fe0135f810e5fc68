/**
 * What the handler above listens to: two states, and a message between them.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event) {
  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1500);

  event.respondWith({ step: 1 }, { done: false });
  await new Promise((r) => setTimeout(r, pace));
  event.client.postMessage({ note: 'half way' });
  await new Promise((r) => setTimeout(r, pace));
  event.respondWith({ step: 2 });
}
