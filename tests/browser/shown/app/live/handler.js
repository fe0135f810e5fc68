export default async function (event) {
  const data = { value: `live ${event.request.method}` };
  event.client.addEventListener("go", () => data.value = "gone on");
  event.client.addEventListener("fail", () => event.abort?.());
  await event.respondWith(data, { done: false });
  event.waitUntilNavigate();
}
