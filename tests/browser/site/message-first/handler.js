export async function GET(event) {
  const go = new Promise((resolve) => event.client.addEventListener("go", resolve, { once: true }));
  event.client.postMessage({ progress: 10 });
  await go;
  return { value: "arrived" };
}
