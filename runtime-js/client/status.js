// The state of the page's connection to its host: `liveline:status` for the document, <liveline-status> for the user.

import { LineLostError } from "../port/port.js";
import { Observer } from "../observer/observer.js";
import { isLost } from "./transport.js";

/** After this time without an answer, in milliseconds, it is late. */
const ANSWER_MS = 3_000;
/** A line that is resumed within this time, in milliseconds, is not reported to the user. */
const NOTICE_DELAY_MS = 1_000;
const TAG = "liveline-status";

/** The texts of the notice, by state and cause. An attribute of the element with the state's name replaces one. */
const TEXTS = {
  late: "The server takes longer than usual.",
  resuming: "The connection was lost. Trying again\u2026",
  lost: "The connection was lost. What you see may be out of date.",
  network: "You are offline.",
  request: "The server could not be reached. Nothing was sent or changed.",
  handler: "Something went wrong. What you see is not updated any more.",
};

/**
 * The state of the connection.
 * @typedef {object} Status
 * @property {"online" | "late" | "resuming" | "lost"} state
 * @property {"answer" | "heartbeat" | "line" | "network" | "request" | "handler" | null} cause
 */

/** From the best to the worst. */
const STATES = ["online", "late", "resuming", "lost"];
const ONLINE = { state: "online", cause: null };

/** @param {{ navigator: { requesting: string | null } }} app */
export function watchApp(app) {
  /** The status of each source. @type {Record<string, Status>} */
  const known = { line: ONLINE, network: ONLINE, answer: ONLINE, request: ONLINE };
  let shown = ONLINE;
  let error;
  const set = (source, state, cause = source) => {
    known[source] = state === "online" ? ONLINE : { state, cause };
    const worst = Object.values(known).reduce((one, other) => {
      return STATES.indexOf(other.state) > STATES.indexOf(one.state) ? other : one;
    });
    if (worst.state === shown.state && worst.cause === shown.cause) return;
    const detail = { ...worst, previous: shown.state, offline: !navigator.onLine, error: worst === ONLINE ? undefined : error };
    shown = worst;
    const event = new CustomEvent("liveline:status", { detail, bubbles: true, cancelable: true });
    notify(document.dispatchEvent(event) ? worst : ONLINE);
  };

  document.addEventListener("liveline:line", ({ detail }) => {
    error = undefined;
    if (detail.state === "late") set("line", "late", "heartbeat");
    else if (detail.state === "away") set("line", "resuming");
    else set("line", detail.state === "lost" ? "lost" : "online");
  });
  // On the window, so that listeners on the document are called first.
  addEventListener("liveline:error", (event) => {
    // An answer with an error status is shown by its page.
    if (event.defaultPrevented || event.detail.status > 0) return;
    error = event.detail.error;
    const cause = !isOfNetwork(error) ? "handler" : navigator.onLine ? "request" : "network";
    if (!(error instanceof LineLostError)) set("request", "lost", cause);
    else set("line", "lost", isLost(error.code) ? "line" : "handler");
  });
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (app.navigator.requesting === null) return set("answer", "online");
    timer = setTimeout(() => set("answer", "late"), ANSWER_MS);
  };
  Observer.observe(app.navigator, "requesting", look);
  // A state was shown, so requests work again.
  document.addEventListener("liveline:state", () => set("request", "online"));
  addEventListener("offline", () => set("network", "resuming"));
  addEventListener("online", () => {
    set("network", "online");
    set("request", "online");
  });
  if (!navigator.onLine) set("network", "resuming");
  look();
}

/** Whether it is the error that `fetch` throws without an answer. */
function isOfNetwork(error) {
  return error instanceof TypeError && /fetch|network|load failed/i.test(error.message);
}

let due;

/** Shows a status in the page's own element, or in one that is added. */
function notify(status) {
  clearTimeout(due);
  if (document.documentElement.getAttribute(`data-${TAG}`) === "off") return;
  if (customElements.get(TAG) === undefined) customElements.define(TAG, StatusElement);
  const show = () => {
    let elements = [...document.querySelectorAll(TAG)];
    if (elements.length === 0 && status.state !== "online") {
      elements = [document.createElement(TAG)];
      document.body.append(elements[0]);
    }
    for (const element of elements) {
      element.setAttribute("state", status.state);
      if (status.cause === null) element.removeAttribute("cause");
      else element.setAttribute("cause", status.cause);
    }
  };
  if (status.state === "resuming") due = setTimeout(show, NOTICE_DELAY_MS);
  else show();
}

const STYLE = `
  :host {
    color-scheme: light dark;
    position: fixed; inset: auto 0 0; z-index: 2147483000;
    display: flex; justify-content: center;
    padding: 0 0.75rem max(0.75rem, env(safe-area-inset-bottom));
    pointer-events: none;
    font: var(--liveline-status-font, 0.9375rem/1.4 system-ui, sans-serif);
  }
  :host(:not([state])), :host([state="online"]), :host([hidden]) { display: none; }
  [part="notice"] {
    box-sizing: border-box; max-width: 36rem;
    display: flex; align-items: center; gap: 0.75rem;
    padding: 0.625rem 0.5rem 0.625rem 1rem;
    color: var(--liveline-status-color, light-dark(#1c1b1a, #f3f1ee));
    background: var(--liveline-status-background, light-dark(#fff, #2a2927));
    border: 1px solid var(--liveline-status-border, light-dark(#d9d5cf, #4a4743));
    border-inline-start: 4px solid var(--liveline-status-accent, light-dark(#b7791f, #e0a94a));
    border-radius: var(--liveline-status-radius, 0.5rem);
    box-shadow: 0 0.25rem 1.25rem rgb(0 0 0 / 0.18);
    pointer-events: auto;
  }
  :host([state="lost"]) [part="notice"] {
    border-inline-start-color: var(--liveline-status-accent, light-dark(#b3261e, #f2766b));
  }
  [part="text"] { flex: 1; min-width: 0; }
  button {
    font: inherit; font-weight: 600; color: inherit; background: none; cursor: pointer;
    padding: 0.25rem 0.625rem; border: 1px solid currentColor; border-radius: 0.375rem;
  }
  button[part="close"] { border-color: transparent; padding-inline: 0.5rem; }
  button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
  [hidden] { display: none !important; }
`;

/**
 * <liveline-status>: a notice at the lower edge of the page. The script sets its attributes `state` and `cause`.
 * Attributes `late`, `resuming` and `lost` replace its texts, and its content replaces the whole notice.
 */
class StatusElement extends HTMLElement {
  static observedAttributes = ["state", "cause"];
  #text;
  #action;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    // A <style> element could be blocked by a content security policy.
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    this.#text = part("span", "text");
    this.#action = part("button", "action");
    this.#action.textContent = "Reload";
    this.#action.onclick = () => location.reload();
    const close = part("button", "close");
    close.textContent = "\u00d7";
    close.setAttribute("aria-label", "Close");
    close.onclick = () => this.setAttribute("state", "online");
    const notice = part("div", "notice");
    // Screen readers announce it when the user is idle.
    notice.setAttribute("role", "status");
    notice.append(this.#text, this.#action, close);
    const slot = document.createElement("slot");
    slot.append(notice);
    root.append(slot);
  }

  attributeChangedCallback() {
    const state = this.getAttribute("state");
    this.#text.textContent = this.getAttribute(state) ?? TEXTS[this.getAttribute("cause")] ?? TEXTS[state] ?? "";
    this.#action.hidden = state !== "lost";
  }
}

function part(name, part) {
  const element = document.createElement(name);
  element.setAttribute("part", part);
  if (name === "button") element.type = "button";
  return element;
}
