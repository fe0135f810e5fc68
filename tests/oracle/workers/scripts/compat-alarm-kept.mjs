export const application = "compat-old";

// Before 2026-02-24 deleteAll() left the alarm.
export default async (t) => {
  await t.request("GET", "/room");
};
