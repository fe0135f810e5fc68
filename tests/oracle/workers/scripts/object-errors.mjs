export const application = "objects";

export default async (t) => {
  await t.request("GET", "/errors");
  await t.request("GET", "/noHandler");
};
