export const application = "sockets";

export default async (t) => {
  for (const type of ["", "arraybuffer", "blob", "nodebuffer"]) {
    const socket = await t.socket(`/types?type=${type}`, { as: `type ${type}` });
    socket.send("text");
    await socket.next();
    socket.send(new Uint8Array([1, 2, 3]));
    await socket.next();
  }
};
