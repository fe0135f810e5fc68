export const application = "sockets";

export default async (t) => {
  const socket = await t.socket("/echo");
  for (const message of ["text", "", "\u00e9\u{1F600}"]) {
    socket.send(message);
    await socket.next();
  }
  socket.send(new Uint8Array([1, 2]));
  await socket.next();
  const other = await t.socket("/greets", { as: "greeted" });
  for (let n = 0; n < 8; n += 1) await other.next();
  const counted = await t.socket("/counting", { as: "counted" });
  const received = [];
  for (let frame = await counted.next(); frame !== null; frame = await counted.next()) received.push(frame);
  t.note("in order", received.every((text, at) => text === String(at)) && received.length === 30);
};
