export const application = "hello";

export default async (t) => {
  await t.request("GET", "/env");
};
