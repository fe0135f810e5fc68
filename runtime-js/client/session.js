// app.session: the values of this tab, as in `event.session` of client handlers. Loaded by the first call.

import { TabSession } from "./storage.js";

const session = new TabSession();

export const get = (key) => session.get(key);
export const has = (key) => session.has(key);
export const set = (key, value) => session.set(key, value);
export const clear = () => session.clear();
export const count = () => session.count();
export const entries = () => session.entries();
export const json = () => session.json();
export const keys = () => session.keys();
export const values = () => session.values();
const remove = (key) => session.delete(key);
export { remove as delete };
