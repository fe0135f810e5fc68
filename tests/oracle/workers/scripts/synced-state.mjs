// RedwoodSDK's useSyncedState, both transports, driven by the client of its package: two pages see each other's values,
// and after a restart of the host they connect again and converge.

export const application = "synced-state";
export const alone = true;

const transports = {
  capnweb: { file: "rwsdk/dist/use-synced-state/client-core.js", path: "/__synced-state" },
  hibernating: { file: "rwsdk/dist/use-synced-state/hibernation/client-core.js", path: "/__hibernating-state" },
};

async function page(t, { file, path }, room) {
  const { getSyncedStateClient, onStatusChange } = await t.import(file);
  const endpoint = t.origin.replace("http", "ws") + path + room;
  const statuses = [];
  onStatusChange?.(endpoint, (status) => statuses.push(status));
  return { client: getSyncedStateClient(endpoint), statuses, seen: [] };
}

export default async (t) => {
  globalThis.WebSocket ??= t.WebSocket;
  await t.request("GET", "/elsewhere");
  await t.request("GET", "/__hibernating-state");
  for (const [name, transport] of Object.entries(transports)) {
    const [one, two, other] = [await page(t, transport, ""), await page(t, transport, ""), await page(t, transport, "/room")];
    t.note(`${name}: unset`, (await one.client.getState("count")) ?? "nothing");
    for (const it of [one, two, other]) await it.client.subscribe("count", (value) => it.seen.push(value));
    await one.client.setState(1, "count");
    await t.until(() => two.seen.includes(1));
    await two.client.setState({ n: 2 }, "count");
    await t.until(() => one.seen.some((value) => value?.n === 2));
    t.note(`${name}: a new page`, await (await page(t, transport, "")).client.getState("count"));
    t.note(`${name}: another key`, (await one.client.getState("other")) ?? "nothing");
    t.note(`${name}: another room`, [other.seen, (await other.client.getState("count")) ?? "nothing"]);
    await two.client.unsubscribe("count", two.seen);
  }
};
