export const application = "rpc";

export default async (t) => {
  await t.request("GET", "/order");
  await t.request("GET", "/overlapping");
  await t.request("GET", "/notAwaited");
};
