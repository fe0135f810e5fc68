import WebSocket from "ws";

export default async () => {
  const socket = new WebSocket(process.env.WS_SERVER, { perMessageDeflate: true });
  const seen = [];
  await new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.send("text");
      socket.send(Buffer.from([1, 2, 3]));
      socket.ping();
    });
    socket.on("message", (data, isBinary) => {
      seen.push(isBinary ? [...data] : data.toString());
      if (seen.length === 2) socket.close(1000, "done");
    });
    socket.on("close", (code) => resolve(seen.push(code)));
    socket.on("error", reject);
  });
  return { seen };
};
