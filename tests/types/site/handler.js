// Tells which members the public objects have: names only, those of the platform's own classes left out.

/** Classes of the platform that public classes extend. */
const PLATFORM = [Object, Function, EventTarget, Event, MessageEvent, CloseEvent];

/** The names of an object's members, without those of the platform, even where they are overridden. */
function members(object) {
  const isPlatform = (prototype) => PLATFORM.some((of) => of.prototype === prototype);
  const names = new Set();
  for (let at = object; at !== null && !isPlatform(at); at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  for (const of of [Object, EventTarget, Event].filter((of) => object instanceof of)) {
    for (const name of Object.getOwnPropertyNames(of.prototype)) names.delete(name);
  }
  for (const name of ["isTrusted", ...typeof object === "function" ? ["length", "name", "prototype"] : []]) {
    names.delete(name);
  }
  return [...names].sort();
}

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
  const report = {
    Cookies: members(event.cookies),
    ClientPort: members(event.client),
    Descriptor: members(firstRecord()),
    Frame: members(await live.now()),
    HttpEvent: members(event),
    KeyVal: members(event.session),
    LiveProgramHandle: members(live.toLiveProgramHandle()),
    LiveResponse: members(live),
    "typeof LiveResponse": members(LiveResponse),
    Next: members(next),
    "typeof Observer": members(Observer),
    Port: members(inner.background),
    RemotePort: members(far.background),
    ReplaceEvent: members(await replaced),
    RequestDetail: members(event.detail),
    StepContext: members(this),
    User: members(event.user),
  };
  event.waitUntilNavigate();
  event.client.addEventListener("probe", (e) => {
    e.respondWith({ ...report, PortMessageEvent: members(e), ReplyPort: members(e.ports[0]) });
  });
  return "ask by a message of type `probe`";
}
