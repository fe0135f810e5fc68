export const application = "objects";

export default async (t) => {
  await t.request("GET", "/same");
  await t.request("GET", "/unused");
};
