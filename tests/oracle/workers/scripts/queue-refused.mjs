export const application = "queues";

export default async (t) => {
  await t.request("GET", "/refused");
};
