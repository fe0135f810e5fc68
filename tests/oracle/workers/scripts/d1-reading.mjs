export const application = "database";

export default async (t) => {
  await t.request("GET", "/reading");
};
