export const application = "web";

export default async (t) => {
  await t.request("GET", "/events");
};
