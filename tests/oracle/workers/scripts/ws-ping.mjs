export const application = "sockets";

// Pings are answered by the host.
export default async (t) => {
  const socket = await t.socket("/echo");
  socket.ping("data");
  await socket.pong();
  socket.send("after");
  await socket.next();
};
