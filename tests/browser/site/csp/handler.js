export function GET(event) {
  const headers = { "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'" };
  event.respondWith({ value: "first" }, { headers, done: false });
  event.client.addEventListener("go", () => event.respondWith({ value: "second" }), { once: true });
}
