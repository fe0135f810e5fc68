/** The second half, from a store that is slower still. */
export async function GET() {
  await new Promise((r) => setTimeout(r, 600));
  return { items: [' 40 lamps', ' 1 piano'] };
}
