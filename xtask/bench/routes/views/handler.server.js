// Counts its own runs for live clients; `?runs` tells how many there were.
let runs = 0;

export function GET(event) {
  if (event.url.search === "?runs") return new Response(String(runs));
  runs += 1;
  event.respondWith({ runs }, { done: false });
}
