export const application = "hibernation";

// After some ten seconds without events the object leaves memory; its sockets stay, and wake it.
export default async (t) => {
  const socket = await t.socket("/wakes/socket?tag=t&attachment=kept&auto", { as: "socket" });
  const other = await t.socket("/wakes/socket", { as: "other" });
  socket.send("constructions");
  await socket.next();
  await new Promise((resolve) => setTimeout(resolve, 14_000));
  socket.send("ping");
  await socket.next();
  socket.send("constructions");
  await socket.next();
  socket.send("who");
  await socket.next();
  socket.send("to the other");
  await other.next();
};
