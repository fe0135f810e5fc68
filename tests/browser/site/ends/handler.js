export async function GET(event) {
  const go = new Promise((resolve) => event.client.addEventListener("go", resolve, { once: true }));
  const how = event.url.searchParams.get("how");
  event.respondWith({ value: how }, { done: false });
  await go;
  if (how === "throw") throw new Error("on purpose");
  if (how === "close") event.client.close();
  return { value: "over" };
}
