/** Asks when it is told to. */
export default async function (event) {
  event.respondWith({ value: "ready" }, { done: false });
  await new Promise((resolve) => event.client.addEventListener("go", resolve));
  const { data } = await event.user.confirm("Sure?");
  event.respondWith({ value: `the answer was ${data}` }, { done: false });
}
