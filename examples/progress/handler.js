/** Every yield replaces the state at the client; the first one is the HTTP answer. */
export async function* GET() {
  for (let progress = 0; progress <= 100; progress += 25) {
    yield { progress };
    await new Promise((r) => setTimeout(r, 100));
  }
}
