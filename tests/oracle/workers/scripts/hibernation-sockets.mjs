export const application = "hibernation";

export default async (t) => {
  const one = await t.socket("/sockets/socket?tag=a&tag=b&attachment=first", { as: "one" });
  const two = await t.socket("/sockets/socket?tag=b&attachment=second&greet", { as: "two" });
  const three = await t.socket("/sockets/socket", { as: "three" });
  await two.next();
  for (const socket of [one, two, three]) {
    socket.send("who");
    await socket.next();
  }
  await t.request("GET", "/sockets/tagged?tag=b");
  await t.request("GET", "/sockets/tagged?tag=a");
  await t.request("GET", "/sockets/tagged?tag=none");
  await t.request("GET", "/sockets/broadcast?tag=b&text=to-b");
  await one.next();
  await two.next();
  three.send("hello others");
  await one.next();
  await two.next();
  one.send("attach new value");
  await one.next();
  await t.request("GET", "/sockets/state");
};
