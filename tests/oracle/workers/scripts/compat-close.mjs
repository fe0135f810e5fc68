export const application = "compat-old";

// Before 2026-04-07 a socket's code had to answer a close itself; before 2026-03-03 a long reason was let through.
export default async (t) => {
  const replies = await t.socket("/replies", { as: "replies" });
  replies.close(3333, "of the client");
  await replies.closed();
  const hibernating = await t.socket("/room", { as: "hibernating" });
  hibernating.send("x");
  await hibernating.next();
  hibernating.close(3334, "of the other client");
  await hibernating.closed();
  const seen = await t.until(async () => {
    const list = (await t.ask("GET", "/seen")).json.filter((event) => event.code !== 1006);
    return list.length > 0 && list;
  });
  t.note("seen", seen);
};
