// Reads one kilobyte of JSON.
export async function POST(event) {
  const { list } = await event.request.json();
  return new Response(`${list.length}`);
}
