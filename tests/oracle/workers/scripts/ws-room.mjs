export const application = "sockets";

export default async (t) => {
  const one = await t.socket("/room/a", { as: "one" });
  await one.next();
  const two = await t.socket("/room/a", { as: "two" });
  await two.next();
  const other = await t.socket("/room/b", { as: "other room" });
  await other.next();
  one.send("to all others");
  await two.next();
  two.send("back");
  await one.next();
  two.send("close me");
  await two.closed();
  await t.until(async () => (await t.ask("GET", "/room/a")).json.sessions === 1);
  one.send("nobody there");
  await one.next();
  other.send("count");
  await other.next();
  one.drop();
  await t.until(async () => (await t.ask("GET", "/room/a")).json.sessions === 0);
  await t.request("GET", "/room/a");
};
