export const application = "objects";

export default async (t) => {
  await t.request("GET", "/getting");
  await t.request("GET", "/binding");
};
