export const application = "database";
export const alone = true;

export default async (t) => {
  await t.request("GET", "/write");
  await t.restart();
  await t.request("GET", "/kept");
  await t.request("GET", "/write");
  await t.restart({ kill: true });
  await t.request("GET", "/kept");
};
