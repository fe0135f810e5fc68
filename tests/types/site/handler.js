// Tells which members the public objects have.

import { client } from "liveline:sql";
import { members } from "./members.js";

function firstRecord() {
  const target = {};
  const records = [];
  Observer.observe(target, "key", (record) => records.push(record));
  Observer.set(target, "key", 1);
  return records[0];
}

export default async function (event, next) {
  if (event.url.searchParams.has("far")) return new LiveResponse("far", { done: false });
  const far = LiveResponse.from(await fetch(new URL("/?far", event.url)));
  const inner = LiveResponse.from(await next());
  const live = LiveResponse.from({ a: 1 }, { done: false });
  const replaced = new Promise((resolve) => live.addEventListener("replace", resolve, { once: true }));
  live.replaceWith({ a: 2 }, { done: false });
  const membership = event.client.enterChannel("channel");
  const report = {
    Client: members(client),
    Result: members(await client.query("SELECT 1")),
    Transaction: await client.transaction(members),
    Channel: members(membership.channel),
    Membership: members(membership),
    Cookies: members(event.cookies),
    ClientPort: members(event.client),
    Descriptor: members(firstRecord()),
    Frame: members(await live.now()),
    HttpEvent: members(event),
    LiveProgramHandle: members(live.toLiveProgramHandle()),
    LiveResponse: members(live),
    "typeof LiveResponse": members(LiveResponse),
    Next: members(next),
    "typeof Observer": members(Observer),
    // These are methods of the class of all sockets, which work for those of a pair.
    PairedSocket: [
      ...members(new WebSocketPair()[0]),
      ...["accept", "serializeAttachment", "deserializeAttachment"].filter((name) => name in WebSocket.prototype),
    ],
    Port: members(inner.background),
    RemotePort: members(far.background),
    ReplaceEvent: members(await replaced),
    RequestDetail: members(event.detail),
    Session: members(event.session),
    StepContext: members(this),
    User: members(event.user),
  };
  event.waitUntilNavigate();
  event.client.addEventListener("probe", (e) => {
    e.respondWith({ ...report, PortMessageEvent: members(e), ReplyPort: members(e.ports[0]) });
  });
  return "ask by a message of type `probe`";
}
