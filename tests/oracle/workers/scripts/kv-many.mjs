export const application = "keyvalue";

export default async (t) => {
  await t.request("GET", "/many");
};
