export const application = "storage";

export default async (t) => {
  await t.request("GET", "/list-options/listOptions");
  await t.request("GET", "/list-options/listUnwritten");
};
