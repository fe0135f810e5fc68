export const application = "handler";

export default async (t) => {
  await t.scheduled("*/5 * * * *");
  await t.scheduled("0 0 1 1 *");
  await t.request("GET", "/cron");
};
