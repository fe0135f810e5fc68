export const application = "database";

export default async (t) => {
  await t.request("GET", "/types");
  await t.request("GET", "/apart");
  await t.request("GET", "/session");
};
