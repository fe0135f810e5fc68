export const application = "sockets";

// An error in a listener ends the socket, and no other.
export default async (t) => {
  const other = await t.socket("/told", { as: "other" });
  const socket = await t.socket("/told", { as: "throwing" });
  socket.send(["throw"]);
  await socket.closed();
  other.send(["state"]);
  await other.next();
};
