export const application = "hibernation";

export default async (t) => {
  const socket = await t.socket("/auto/socket?auto", { as: "socket" });
  await t.request("GET", "/auto/timestamps");
  socket.send("ping");
  await socket.next();
  socket.send("who");
  await socket.next();
  await t.request("GET", "/auto/timestamps");
  socket.send("ping ");
  socket.send("who");
  await socket.next();
};
