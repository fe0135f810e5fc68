/**
 * The first half of the inventory, from a store that takes its time.
 * @type {import('@webqit/webflo').Handler}
 */
export async function GET(event) {
  // Milliseconds between two states, for a person who watches; `?pace=50` is for the impatient.
  const pace = Number(event.url.searchParams.get('pace') ?? 1200);
  await new Promise((r) => setTimeout(r, pace));
  return { header: 'Inventory', items: [' 12 chairs', ' 3 tables'] };
}
