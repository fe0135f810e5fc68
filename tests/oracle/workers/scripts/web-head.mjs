export const application = "web";

export default async (t) => {
  for (const path of ["/written", "/piped"]) {
    await t.request("HEAD", path);
    await t.until(async () => (await t.ask("GET", "/seen")).text.includes("close") || (await t.ask("GET", "/seen")).json.length > 3);
    await t.request("GET", "/seen");
  }
  const { headers } = await t.request("HEAD", "/length");
  t.note("its length", headers["content-length"]);
};
