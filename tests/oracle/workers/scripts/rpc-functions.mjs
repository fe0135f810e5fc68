export const application = "rpc";

export default async (t) => {
  await t.request("GET", "/returned");
  await t.request("GET", "/callbacks");
  await t.request("GET", "/kept");
};
