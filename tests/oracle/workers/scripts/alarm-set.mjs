export const application = "alarms";

export default async (t) => {
  await t.request("GET", "/basic/none");
  await t.request("GET", "/basic/set");
  await t.request("GET", "/transaction/transaction");
  await t.request("GET", "/mute");
};
