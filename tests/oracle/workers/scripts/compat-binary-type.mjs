export const application = "compat-old";

// Before 2026-03-17 binary messages were ArrayBuffers.
export default async (t) => {
  const socket = await t.socket("/socket");
  socket.send(new Uint8Array([1, 2]));
  await socket.next();
  socket.send("text");
  await socket.next();
  const hibernating = await t.socket("/room", { as: "hibernating" });
  hibernating.send(new Uint8Array([1]));
  await hibernating.next();
};
