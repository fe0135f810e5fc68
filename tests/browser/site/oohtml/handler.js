export async function GET(event) {
  event.respondWith({ value: "one", items: [{ n: 1 }] }, { done: false });
  await new Promise((resolve) => event.client.addEventListener("go", resolve, { once: true }));
  return { value: "two", items: [{ n: 1 }, { n: 2 }] };
}
