export const application = "hibernation";

export default async (t) => {
  await t.request("GET", "/attachments/attachments");
};
