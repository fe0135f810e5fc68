// The user's values in the page, which handlers of the server set by `event.user`.

import { Observer } from "../observer/observer.js";
import { Dialogs } from "../port/dialogs.js";

/** The host's address of the values. */
const USER = "/.liveline/user";

/** Reads the user's current values from the server. */
async function readUser() {
  const answer = await fetch(USER, { headers: { Accept: "application/json" }, cache: "no-store" });
  return answer.ok ? await answer.json() : {};
}

/**
 * Updates `user` with the server's values, now and after every navigation.
 * @param {object} navigator `app.navigator`
 */
export function followUser(user, navigator) {
  const refresh = async () => {
    const values = await readUser().catch(() => null);
    if (values === null) return;
    Observer.batch(user, () => {
      for (const key of Object.keys(user)) if (!(key in values)) Observer.deleteProperty(user, key);
      Observer.set(user, values);
    });
  };
  Observer.observe(navigator, "requesting", ({ value }) => value === null && refresh());
  refresh();
}

/** event.user of client handlers: the server's values, read-only, and dialogs. */
export class PageUser extends Dialogs {
  async get(key) {
    const values = await readUser();
    return Object.hasOwn(values, key) ? values[key] : undefined;
  }

  async has(key) {
    return (await this.get(key)) !== undefined;
  }

  async keys() {
    return Object.keys(await readUser());
  }

  async values() {
    return Object.values(await readUser());
  }

  async entries() {
    return Object.entries(await readUser());
  }

  async count() {
    return (await this.keys()).length;
  }

  async json() {
    return await readUser();
  }

  /** Whether the user has an ID. */
  async isSignedIn(callback = undefined) {
    if (callback !== undefined) throw serverOnly("isSignedIn(callback)");
    return Boolean(await this.get("id"));
  }
}

for (const name of ["set", "delete", "clear", "patch", "subscribe", "require", "defineHandler", "signIn", "signOut"]) {
  PageUser.prototype[name] = () => {
    throw serverOnly(`${name}()`);
  };
}

function serverOnly(call) {
  return new TypeError(`event.user.${call} is for handlers of the server: go on with next(), or ask one by fetch().`);
}
