export const application = "rpc";

export default async (t) => {
  await t.request("GET", "/values");
  await t.request("GET", "/arguments");
};
