export const application = "storage";

export default async (t) => {
  await t.request("GET", "/delete-all/deleteAll");
  await t.request("GET", "/delete-all/read");
};
