export function POST() {
  throw new Error("on purpose");
}
