import { listeners } from "../news.js";

export default async function* (event) {
  const waiting = [];
  let wake = () => {};
  const listener = (news) => {
    waiting.push(news);
    wake();
  };
  listeners.add(listener);
  try {
    yield { news: "none" };
    while (!event.signal.aborted) {
      const more = new Promise((resolve) => wake = resolve);
      while (waiting.length > 0) yield { news: waiting.shift() };
      await more;
    }
  } finally {
    listeners.delete(listener);
  }
}
