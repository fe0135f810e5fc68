import { raw } from "../raw.mjs";

export const application = "ws-options";

export const scripts = {
  "protocols": async (t) => {
    for (const protocols of [[], ["one"], ["one", "two"], ["three", "one"]]) {
      const socket = await t.socket("/echo", { protocols, as: protocols.join() || "none" });
      socket.send("x");
      await socket.next();
    }
  },
  "clients are verified": async (t) => {
    await t.socket("/echo", { headers: { "x-deny": "1" }, as: "denied" });
    await t.socket("/echo", { headers: { "x-refuse": "1" }, as: "refused" });
  },
  "without an error handler the connection breaks": async (t) => {
    const socket = await t.socket("/throws");
    await socket.closed();
    await t.get("/alive");
  },
  "an error without listener harms nobody else": async (t) => {
    const other = await t.socket("/echo", { as: "other" });
    await raw(t, "/no-listener", "an unmasked frame", [0x81, 0x01, 0x61]);
    other.send("still here");
    await other.next();
    await t.get("/alive");
  },
};
