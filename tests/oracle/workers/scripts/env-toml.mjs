export const application = "compat-old";

export default async (t) => {
  await t.request("GET", "/context");
};
