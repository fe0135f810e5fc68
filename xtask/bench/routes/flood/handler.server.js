// A room for those who never read.
export function GET(event) {
  event.client.enterChannel("flood", { announce: false });
  event.respondWith("flood", { done: false });
}
