// Fills the heap.
export function GET() {
  const heap = [];
  for (;;) heap.push(new Array(1000).fill(heap.length));
}
