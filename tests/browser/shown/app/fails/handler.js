export default async function (event) {
  await event.respondWith({ value: "before" }, { done: false });
  await new Promise((resolve) => event.client.addEventListener("go", resolve, { once: true }));
  throw new Error("after the first state");
}
