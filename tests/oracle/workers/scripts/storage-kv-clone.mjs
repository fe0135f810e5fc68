export const application = "storage";

export default async (t) => {
  await t.request("GET", "/clone/clone");
  await t.request("GET", "/clone/copies");
};
