export const application = "sockets";

async function told(t, name, ...words) {
  const socket = await t.socket("/told", { as: name });
  socket.send(words);
  await socket.closed();
}

export default async (t) => {
  await t.ask("GET", "/seen");
  await told(t, "no code", "close");
  await told(t, "1000", "close", 1000, "done");
  await told(t, "3000", "close", 3000, "\u00e9");
  await told(t, "4999", "close", 4999);
  await told(t, "1011", "close", 1011, "failed");
  const wrong = await t.socket("/told", { as: "wrong codes" });
  for (const code of [1005, 1006, 999, 5000]) {
    wrong.send(["close", code]);
    await wrong.next();
  }
  wrong.send(["longReason", 62]);
  await wrong.next();
  wrong.send(["accept"]);
  await wrong.next();
  // The value that was sent, then the outcome.
  for (const kind of ["number", "object", "null"]) {
    wrong.send(["send", kind]);
    await wrong.next();
    await wrong.next();
  }
  wrong.close(1000);
  await wrong.closed();
};
