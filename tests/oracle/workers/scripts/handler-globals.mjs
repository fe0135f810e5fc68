export const application = "handler";

export default async (t) => {
  await t.request("GET", "/globals");
};
