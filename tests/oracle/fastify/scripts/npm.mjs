export const application = "npm";

export const scripts = {
  "the packages are npm's": async (t) => {
    await t.get("/package");
  },
  "requests": async (t) => {
    await t.get("/?a=1&a=2", { origin: "http://other.example" });
    await t.request("POST", "/numbers", { headers: { "content-type": "application/json" }, body: '{"n":"4"}' });
    await t.request("POST", "/numbers", { headers: { "content-type": "application/json" }, body: '{"n":"x"}' });
    await t.request("POST", "/numbers", { headers: { "content-type": "application/json" }, body: "{" });
    await t.get("/numbers/fails");
    await t.get("/nowhere");
    await t.request("OPTIONS", "/numbers", { headers: { origin: "http://other.example", "access-control-request-method": "POST" } });
  },
  "sockets": async (t) => {
    const socket = await t.socket("/socket?name=one");
    await socket.next();
    socket.send("text");
    await socket.next();
    socket.send(Uint8Array.of(1, 2, 3));
    await socket.next();
    const other = await t.socket("/socket?name=two", { as: "other" });
    await other.next();
    other.send("to both");
    await other.next();
    await socket.next();
    await t.socket("/refused", { as: "refused" });
  },
};
