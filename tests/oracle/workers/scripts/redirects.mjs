export const application = "redirects";

export default async (t) => {
  for (const path of ["/incoming", "/OBJECT", "/SELF", "/ASSETS"]) await t.request("GET", path);
};
