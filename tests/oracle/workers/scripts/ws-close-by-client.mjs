export const application = "sockets";

export default async (t) => {
  await t.ask("GET", "/seen");
  const cases = [["no code", []], ["1000", [1000, "done"]], ["1001", [1001]], ["3000", [3000, "\u00e9"]], ["4999", [4999, "x".repeat(123)]]];
  for (const [name, given] of cases) {
    const socket = await t.socket("/told", { as: name });
    socket.send(["state"]);
    await socket.next();
    socket.close(...given);
    await socket.closed();
    const seen = await t.until(async () => {
      const list = (await t.ask("GET", "/seen")).json;
      return list.some((event) => event.type === "close") && list;
    });
    t.note(`the server saw after ${name}`, seen.filter((event) => event.type === "close"));
  }
};
