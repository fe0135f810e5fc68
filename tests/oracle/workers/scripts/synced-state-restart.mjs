// After the host was restarted, RedwoodSDK's client connects again, and has new values.

export const application = "synced-state";
export const alone = true;

const transports = {
  capnweb: { file: "rwsdk/dist/use-synced-state/client-core.js", path: "/__synced-state" },
  hibernating: { file: "rwsdk/dist/use-synced-state/hibernation/client-core.js", path: "/__hibernating-state" },
};

export default async (t) => {
  globalThis.WebSocket ??= t.WebSocket;
  const pages = {};
  for (const [name, { file, path }] of Object.entries(transports)) {
    const { getSyncedStateClient, onStatusChange } = await t.import(file);
    const endpoint = t.origin.replace("http", "ws") + path;
    // A client that lost its connection is replaced by another.
    const it = { client: () => getSyncedStateClient(endpoint), statuses: [], seen: [] };
    onStatusChange(endpoint, (status) => it.statuses.push(status));
    await it.client().subscribe("count", (value) => it.seen.push(value));
    await it.client().setState("before", "count");
    await t.until(() => it.seen.includes("before"));
    pages[name] = it;
  }
  await t.restart({ kill: true });
  for (const [name, it] of Object.entries(pages)) {
    await t.until(() => it.statuses.at(-1) === "connected" && it.statuses.includes("reconnecting"), `${name} connects again`);
    t.note(`${name}: statuses`, ["disconnected", "reconnecting", "connected"].every((status) => it.statuses.includes(status)));
    await it.client().setState("after", "count");
    await t.until(async () => (await it.client().getState("count")) === "after", `${name} has the new value`);
    t.note(`${name}: converges`, true);
  }
};
