export const application = "storage";

export default async (t) => {
  await t.request("GET", "/synchronous/synchronous");
};
