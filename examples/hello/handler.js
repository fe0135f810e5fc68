/** What a handler returns is the answer: an object becomes JSON. */
export function GET(event) {
  const name = event.url.searchParams.get("name") ?? "world";
  return { hello: name };
}
