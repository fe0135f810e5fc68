export const application = "assets";

export default async (t) => {
  for (const path of ["/old", "/moved/a/b?c=d", "/go", "/shown"]) await t.request("GET", path);
  const answer = await t.ask("GET", "/plain.txt");
  const again = await t.ask("GET", "/plain.txt", { headers: { "if-none-match": answer.headers.etag ?? "none" } });
  t.note("with its etag", again.status);
};
