// What one client says to the room, the others get; no JavaScript listens. Also taken as server-sent events.
export function GET(event) {
  event.client.enterChannel("room", { announce: false });
  event.respondWith("room", { done: false });
}
