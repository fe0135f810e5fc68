export default async function ({ request, url }, next) {
  const type = (request.headers.get("content-type") ?? "none").split(";")[0];
  const fields = request.method === "GET" ? url.searchParams : await request.formData();
  return { value: [request.method, url.pathname + url.search, type, ...[...fields].map((pair) => pair.join("="))].join(" ") };
}
