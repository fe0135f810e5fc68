// What handlers and scripts of a page write.

import { LiveResponse, type ClientHandler } from "@webqit/webflo";

export const chat: ClientHandler = async (event, next) => {
  if (next.stepname) return await next();

  const data = { messageTrail: [{ message: "Beginning of chat..." }] };
  await event.respondWith(data, { done: false });
  const port = LiveResponse.from(await next()).background;
  port?.addEventListener("test-channel:message", (e) => Observer.proxy(data.messageTrail).push(e.data));
  port?.postMessage({ message: "hi" }, { wqEventOptions: { type: "test-channel:message" } });
  await event.readyStateChange("live");
  // @ts-expect-error: what one request gives to the next is with the server
  event.redirectWith("/next", { status: "Saved." });
  if (await event.user.isSignedIn()) return { name: await event.user.get("name") };
  // @ts-expect-error: only the server changes it
  await event.user.set("name", "Ann");
};

const { app } = window.webqit;
app.background.addEventListener("prompt", (e) => {
  e.preventDefault();
  e.ports[0].postMessage("my answer");
});
Observer.observe(app.navigator, "requesting", ({ value }) => console.log(value));
Observer.observe(app.network, "status", ({ value }) => console.log(value, app.viewport.width));
const [states, stop] = await app.capabilities.query(["notifications", "display-mode"], true);
if (states.notifications === "prompt") await app.capabilities.request("notification");
stop();
await app.session.set("theme", "dark");
console.log((await app.background.postRequest("who?", { type: "who" })).data);
await app.navigate("/next", { method: "POST" });
for (const port of app.background) port.close(4100, "enough");
document.addEventListener("liveline:state", (e) => console.log(e.detail.data));
