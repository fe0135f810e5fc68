// A state over HTTP, then a message over the line.
export function GET(event) {
  event.respondWith("state", { done: false });
  event.client.postMessage("#greeting");
}
