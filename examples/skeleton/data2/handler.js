/**
 * The second half, from a store that is slower still.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event) {
  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1800);
  await new Promise((r) => setTimeout(r, pace));
  return { items: [' 40 lamps', ' 1 piano'] };
}
