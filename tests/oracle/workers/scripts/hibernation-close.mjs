export const application = "hibernation";

async function log(t, room, count) {
  return t.until(async () => {
    const found = (await t.ask("GET", `/${room}/state`)).json.log;
    return found.length >= count && found;
  });
}

export default async (t) => {
  const given = await t.socket("/close/socket?attachment=kept", { as: "with a code" });
  given.send("who");
  await given.next();
  given.close(3000, "of the client");
  await given.closed();
  t.note("log", await log(t, "close", 1));
  const none = await t.socket("/close-none/socket", { as: "without a code" });
  none.send("who");
  await none.next();
  none.close();
  await none.closed();
  t.note("log without a code", await log(t, "close-none", 1));
  const dropped = await t.socket("/close-drop/socket", { as: "dropped" });
  dropped.send("who");
  await dropped.next();
  dropped.drop();
  const entries = await log(t, "close-drop", 1);
  t.note("log of the dropped", entries.filter((entry) => entry.closed !== undefined));
  const server = await t.socket("/close-server/socket", { as: "by the server" });
  server.send("close 4005 reason");
  await server.closed();
  await t.until(async () => (await t.ask("GET", "/close-server/state")).json.sockets.length === 0);
  const twice = await t.socket("/close-twice/socket", { as: "twice" });
  twice.send("closeTwice");
  await twice.closed();
  t.note("log of the second close", (await log(t, "close-twice", 1))[0]);
  const all = await t.socket("/close-all/socket", { as: "all" });
  await t.request("GET", "/close-all/closeAll");
  await all.closed();
};
