export const application = "storage";

export default async (t) => {
  await t.request("GET", "/later/laterWrite");
  await t.until(async () => (await t.ask("GET", "/later/later")).json !== null && typeof (await t.ask("GET", "/later/later")).json === "string");
  await t.request("GET", "/later/later");
  await t.request("GET", "/thrown/writeAndThrow");
  await t.request("GET", "/thrown/all");
};
