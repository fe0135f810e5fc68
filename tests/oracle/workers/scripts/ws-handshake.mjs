export const application = "sockets";

export default async (t) => {
  const chosen = await t.socket("/protocol", { as: "protocols", protocols: ["first", "second"] });
  await chosen.next();
  await t.socket("/refuses", { as: "refused" });
  await t.socket("/missing", { as: "missing" });
  const no = await t.socket("/noSocket", { as: "no socket" });
  t.note("no socket", no.status);
  const accepted = await t.socket("/acceptedEnd", { as: "accepted end" });
  t.note("an accepted end", accepted.status);
  await t.request("GET", "/echo");
};
