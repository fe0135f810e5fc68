export const application = "objects";

export default async (t) => {
  await t.request("GET", "/exports");
};
