/** Where the redirects of other examples lead. */
export function GET() {
  return { done: "All the work is finished." };
}
