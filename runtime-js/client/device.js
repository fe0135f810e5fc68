// app.capabilities: the browser's capabilities, and requests to the user for more. Loaded by the first call.

import { Observer } from "../observer/observer.js";
import { checkOptions } from "../errors/options.js";

/** The display modes of the page. */
const DISPLAY_MODES = ["browser", "standalone", "minimal-ui", "fullscreen", "window-controls-overlay"];
/** The browser's offer to install the app, if it made one. */
let installation = null;
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installation = event;
});

/**
 * The states of permissions by name, with `_` for `-`: `granted`, `denied`, `prompt` or `unsupported`; and
 * `display_mode`.
 * @param {string | PermissionDescriptor | (string | PermissionDescriptor)[]} names
 * @param {boolean} [isLive] whether changes are observable; then the result is `[states, stop]`
 */
export async function query(names, isLive = false) {
  const states = {};
  const controller = new AbortController();
  const { signal } = controller;
  for (const name of [names].flat()) {
    const descriptor = descriptorOf(name);
    const key = descriptor.name.replaceAll("-", "_");
    if (descriptor.name === "display-mode") {
      const show = () => Observer.set(states, key, displayMode());
      show();
      if (!isLive) continue;
      for (const mode of DISPLAY_MODES) displayQuery(mode).addEventListener("change", show, { signal });
      continue;
    }
    try {
      const status = await navigator.permissions.query(descriptor);
      states[key] = status.state;
      if (isLive) status.addEventListener("change", () => Observer.set(states, key, status.state), { signal });
    } catch {
      states[key] = "unsupported";
    }
  }
  return isLive ? [states, () => controller.abort()] : states;
}

/** Whether the browser supports a permission. */
export async function supports(name) {
  try {
    await navigator.permissions.query(descriptorOf(name));
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks the user. `notification` returns the permission's state, `push` a subscription, `install` the user's choice, or
 * undefined if the browser has not offered it.
 */
export async function request(name, options = {}) {
  switch (name) {
    case "install": {
      checkOptions('capabilities.request("install")', options, []);
      const offer = installation;
      installation = null;
      if (offer === null) return undefined;
      await offer.prompt();
      return (await offer.userChoice).outcome;
    }
    case "notification":
      checkOptions('capabilities.request("notification")', options, []);
      return await Notification.requestPermission();
    case "push": {
      checkOptions('capabilities.request("push")', options, ["applicationServerKey", "userVisibleOnly"]);
      const registration = await navigator.serviceWorker.getRegistration();
      if (registration === undefined) throw new TypeError("push takes a service worker: add a handler.worker.js.");
      const { pushManager } = registration;
      return await pushManager.getSubscription() ?? await pushManager.subscribe({ userVisibleOnly: true, ...options });
    }
    default:
      throw new TypeError(`capabilities.request() asks for "install", "notification" or "push", not "${name}".`);
  }
}

function descriptorOf(name) {
  const descriptor = typeof name === "string" ? { name } : { ...name };
  if (descriptor.name === "push") descriptor.userVisibleOnly ??= true;
  if (descriptor.name === "top-level-storage-access") descriptor.requestedOrigin ??= location.origin;
  return descriptor;
}

function displayQuery(mode) {
  return matchMedia(`(display-mode: ${mode})`);
}

function displayMode() {
  if (document.referrer.startsWith("android-app://")) return "twa";
  return DISPLAY_MODES.find((mode) => displayQuery(mode).matches);
}
