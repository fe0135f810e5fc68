export const application = "handler";
// Only development has requests that call scheduled().
export const options = { command: "dev" };

export default async (t) => {
  await t.scheduled("*/5 * * * *");
  await t.scheduled("0 0 1 1 *");
  await t.request("GET", "/cron");
};
