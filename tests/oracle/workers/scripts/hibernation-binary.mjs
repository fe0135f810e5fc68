export const application = "hibernation";

export default async (t) => {
  const socket = await t.socket("/binary/socket", { as: "socket" });
  socket.send(new Uint8Array([1, 2, 3]));
  await socket.next();
  socket.send("throw");
  socket.send("who");
  await socket.next();
};
