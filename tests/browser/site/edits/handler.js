export async function GET(event) {
  const over = new Promise((resolve) => event.client.addEventListener("over", resolve, { once: true }));
  event.respondWith({ value: "of the server", list: [1] }, async ($data) => {
    await over;
    $data.value = "of the server again";
  });
}
