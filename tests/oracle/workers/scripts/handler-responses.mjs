export const application = "handler";

export default async (t) => {
  await t.request("GET", "/responses");
  await t.request("GET", "/passing");
};
