export const application = "sockets";

// Since 2026-04-07 the runtime answers a close itself, unless the socket may stay half open.
export default async (t) => {
  await t.ask("GET", "/seen");
  const replies = await t.socket("/replies", { as: "replies" });
  replies.close(3000, "of the client");
  await replies.closed();
  t.note("seen", await t.until(async () => {
    const list = (await t.ask("GET", "/seen")).json;
    return list.length > 0 && list;
  }));
  const half = await t.socket("/halfOpen", { as: "half open" });
  half.close(3001, "of the client");
  await half.closed();
  t.note("seen half open", await t.until(async () => {
    const list = (await t.ask("GET", "/seen")).json;
    return list.length > 0 && list;
  }));
};
