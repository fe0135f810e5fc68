// A live answer: its clients follow it, and may do nothing else.
import { topic } from "liveline:topics";

const news = topic("/news", { history: 100 });

export default (event) => event.respondWith(news);
