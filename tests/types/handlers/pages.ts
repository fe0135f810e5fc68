// What handlers and scripts of a page write.

import { LiveResponse, type ClientHandler } from "@webqit/webflo";

export const chat: ClientHandler = async (event, next) => {
  if (next.stepname) return await next();

  const data = { messageTrail: [{ message: "Beginning of chat..." }] };
  await event.respondWith(data, { done: false });
  const port = LiveResponse.from(await next()).background;
  port?.addEventListener("test-channel:message", (e) => Observer.proxy(data.messageTrail).push(e.data));
  port?.postMessage({ message: "hi" }, { wqEventOptions: { type: "test-channel:message" } });
  // @ts-expect-error: in a page there is nothing that the exchange ends with
  event.readyStateChange("done");
};

const { app } = window.webqit;
app.background.addEventListener("prompt", (e) => {
  e.preventDefault();
  e.ports[0].postMessage("my answer");
});
Observer.observe(app.navigator, "requesting", ({ value }) => console.log(value));
await app.navigate("/next", { method: "POST" });
for (const port of app.background) port.close(4100, "enough");
document.addEventListener("liveline:state", (e) => console.log(e.detail.data));
