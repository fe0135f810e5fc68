// Two segments and two parameters of the query.
export function GET(event) {
  const [, , shop, item] = event.url.pathname.split("/");
  const query = event.url.searchParams;
  return new Response(`${shop} ${item} ${query.get("page")} ${query.get("sort")}`);
}
