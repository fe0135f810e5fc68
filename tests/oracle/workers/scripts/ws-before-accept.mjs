export const application = "sockets";

// Messages that come before accept() are delivered in their order.
export default async (t) => {
  const socket = await t.socket("/late");
  for (const text of ["1", "2", "3"]) socket.send(text);
  for (let n = 0; n < 3; n += 1) await socket.next();
};
