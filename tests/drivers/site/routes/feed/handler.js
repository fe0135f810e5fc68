import { listeners } from "../news.js";

export default (event) => {
  const listener = (news) => event.respondWith({ news }, { done: false });
  listeners.add(listener);
  event.signal.addEventListener("abort", () => listeners.delete(listener));
  event.respondWith({ news: "none" }, { done: false });
};
