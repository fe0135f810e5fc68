export const application = "web";

export default async (t) => {
  // The proxy of wrangler drops the length of answers to HEAD.
  for (const path of ["fixed", "fixed-with-type", "fixed-in-gzip", "blob", "identity"]) {
    const { headers } = await t.ask("GET", `/${path}`);
    t.note(path, headers["content-length"] ?? null);
  }
  await t.request("GET", "/fetched-fixed");
  await t.request("GET", "/chunks");
};
