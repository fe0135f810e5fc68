// Says back what it hears.
export function GET(event) {
  event.client.addEventListener("message", (e) => event.client.postMessage(e.data));
  event.respondWith("echo", { done: false });
}
