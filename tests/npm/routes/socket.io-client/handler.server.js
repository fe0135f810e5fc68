import { io } from "socket.io-client";

export default async () => {
  const socket = io(process.env.SOCKET_IO_SERVER, { reconnection: false });
  const connected = new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  const greeting = new Promise((resolve) => socket.on("greeting", resolve));
  await connected;
  const reply = await socket.timeout(5000).emitWithAck("double", 21);
  const upgraded = socket.io.engine.transport.name === "websocket" ||
    await new Promise((resolve) => socket.io.engine.on("upgrade", ({ name }) => resolve(name === "websocket")));
  const result = { greeting: await greeting, reply, upgraded };
  socket.disconnect();
  return result;
};
