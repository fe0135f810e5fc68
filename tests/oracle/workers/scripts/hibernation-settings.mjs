export const application = "hibernation";

export default async (t) => {
  await t.request("GET", "/settings/autoResponse");
  await t.request("GET", "/settings/timeout");
};
