// Answers, and waits for something that never comes.
export async function GET(event) {
  event.respondWith("idle", { done: false });
  await event.client.readyStateChange("close");
}
