/**
 * What a handler returns is the answer: an object becomes JSON.
 * @type {import('@webqit/webflo').Handler}
 */
export function GET(event) {
  const name = event.url.searchParams.get("name") ?? "world";
  return { hello: name };
}
