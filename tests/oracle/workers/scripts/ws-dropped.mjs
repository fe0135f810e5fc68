export const application = "sockets";

// The connection ends without a close frame.
export default async (t) => {
  await t.ask("GET", "/seen");
  const socket = await t.socket("/told", { as: "dropped" });
  socket.send(["state"]);
  await socket.next();
  socket.drop();
  const seen = [];
  await t.until(async () => {
    seen.push(...(await t.ask("GET", "/seen")).json);
    return seen.some((event) => event.type === "close");
  });
  t.note("the close", seen.filter((event) => event.type === "close"));
};
