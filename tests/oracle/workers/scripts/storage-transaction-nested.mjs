export const application = "storage";

export default async (t) => {
  await t.request("GET", "/nested/nested");
  await t.request("GET", "/nested/sqlInside");
  await t.request("GET", "/nested/noFunction");
};
