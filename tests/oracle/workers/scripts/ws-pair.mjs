export const application = "sockets";

export default async (t) => {
  await t.request("GET", "/inside/pair");
  await t.request("GET", "/inside/constants");
  await t.request("GET", "/inside/events");
  await t.request("GET", "/inside/serialize");
};
