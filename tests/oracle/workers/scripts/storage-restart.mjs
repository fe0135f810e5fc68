export const application = "storage";
export const alone = true;

export default async (t) => {
  await t.request("GET", "/one/read");
  await t.request("GET", "/one/write?value=first");
  await t.request("GET", "/two/write?value=other");
  await t.restart();
  await t.request("GET", "/one/read");
  await t.request("GET", "/one/write?value=second");
  await t.restart({ kill: true });
  await t.request("GET", "/one/read");
  await t.request("GET", "/two/read");
};
