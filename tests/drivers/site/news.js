import { follow } from "./driver.js";

export const listeners = new Set();

// Followed from the start on, outside of any request, so that no request's end ends it.
follow((news) => listeners.forEach((listener) => listener(news)));
