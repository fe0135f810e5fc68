export const application = "storage";

export default async (t) => {
  await t.request("GET", "/rollback/rollback");
  await t.request("GET", "/rollback/rollbackByError");
  await t.request("GET", "/rollback/useAfterRollback");
};
