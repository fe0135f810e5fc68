export default async function (event) {
  event.client.addEventListener("go", () => event.respondWith({ value: "gone on" }, { done: false }));
  await event.respondWith({ value: `live ${event.request.method}` }, { done: false });
  event.waitUntilNavigate();
}
