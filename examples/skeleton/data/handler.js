/** The first half of the inventory, from a store that takes its time. */
export async function GET() {
  await new Promise((r) => setTimeout(r, 400));
  return { header: 'Inventory', items: [' 12 chairs', ' 3 tables'] };
}
