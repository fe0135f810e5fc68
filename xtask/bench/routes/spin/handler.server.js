// Never yields.
export function GET() {
  for (;;);
}
