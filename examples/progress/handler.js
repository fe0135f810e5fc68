/**
 * Every yield replaces the state at the client; the first one is the HTTP answer.
 * @type {import('@webqit/webflo').Handler}
 */
export async function* GET(event) {
  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1000);

  for (let progress = 0; progress <= 100; progress += 25) {
    yield { progress };
    await new Promise((r) => setTimeout(r, pace));
  }
}
