export const application = "web";

export default async (t) => {
  await t.request("GET", "/methods");
  await t.request("GET", "/fetched-method");
};
