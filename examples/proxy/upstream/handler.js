/** What the handler above listens to: two states, and a message between them. */
export async function GET(event) {
  event.respondWith({ step: 1 }, { done: false });
  await new Promise((r) => setTimeout(r, 500));
  event.client.postMessage({ note: 'half way' });
  await new Promise((r) => setTimeout(r, 500));
  event.respondWith({ step: 2 });
}
