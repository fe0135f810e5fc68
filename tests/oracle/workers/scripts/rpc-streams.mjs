export const application = "rpc";

export default async (t) => {
  await t.request("GET", "/readable");
  await t.request("GET", "/failing");
  await t.request("GET", "/given");
  await t.request("GET", "/locked");
  await t.request("GET", "/objects");
};
