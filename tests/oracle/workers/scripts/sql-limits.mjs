export const application = "storage";

export default async (t) => {
  await t.request("GET", "/sql-limits/sqlLimits");
  await t.request("GET", "/sql-limits/size");
};
