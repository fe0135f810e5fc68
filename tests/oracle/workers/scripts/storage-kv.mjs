export const application = "storage";

export default async (t) => {
  await t.request("GET", "/kv/basic");
  await t.request("GET", "/kv/multiple");
  await t.request("GET", "/kv/options");
};
