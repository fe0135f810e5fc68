export const application = "storage";

export default async (t) => {
  await t.request("GET", "/sql-cursor/cursor");
  await t.request("GET", "/sql-cursor/counts");
};
