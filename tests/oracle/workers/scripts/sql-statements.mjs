export const application = "storage";

export default async (t) => {
  await t.request("GET", "/sql-statements/statementBinds");
  await t.request("GET", "/sql-statements/keyValueTable");
  await t.request("GET", "/sql-statements/prepared");
};
