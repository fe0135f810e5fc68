export const application = "sockets";

export default async (t) => {
  await t.request("GET", "/inside/throughFetch");
};
