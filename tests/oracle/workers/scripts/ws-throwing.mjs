export const application = "sockets";

// An error in a listener harms no other socket.
export default async (t) => {
  const other = await t.socket("/told", { as: "other" });
  const socket = await t.socket("/told", { as: "throwing" });
  socket.send(["throw"]);
  other.send(["state"]);
  await other.next();
};
