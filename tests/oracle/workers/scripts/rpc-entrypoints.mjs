export const application = "rpc";

export default async (t) => {
  await t.request("GET", "/services");
  await t.request("GET", "/loopback");
};
