// Which submissions and moves through the history are the app's, and what request each stands for.

/** On a link or form: the browser deals with it. */
export const LEAVE_ALONE = "webflo-no-intercept";

/** What only the host answers. */
const HOST_PATH = "/.liveline/";

/**
 * What the app is asked to do.
 * @typedef {object} Move
 * @property {URL} url
 * @property {RequestInit} init
 */

/** The URL of a page. A `javascript:` address is none. */
export function pageAt(address, base) {
  const url = new URL(address, base);
  if (url.protocol === "javascript:") throw new TypeError(`No page is at ${url.href}: it is code.`);
  return url;
}

/** Whether a URL belongs to this app. */
export function isInApp(url, here) {
  return url.origin === here.origin && !url.pathname.startsWith(HOST_PATH);
}

/** Whether going from one URL to the other only moves within the page. */
export function isWithinPage(url, here) {
  const isSame = url.origin === here.origin && url.pathname === here.pathname && url.search === here.search;
  return isSame && url.href.includes("#") && url.hash !== here.hash;
}

/** Whether a target names the window that it stands in. */
export function isThisWindow(target) {
  return target === null || target === "" || target === "_self" || target.startsWith("_webflo:");
}

/**
 * The request that a form stands for, or null where it is the browser's. The attributes of the button that was
 * pressed come first. Any method may be named, not only those that HTML knows.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 * @param {URL} here
 * @returns {Move | null}
 */
export function formMove(form, submitter, here) {
  const attribute = (name) => submitter?.getAttribute(`form${name}`) ?? form.getAttribute(name);
  if (form.hasAttribute(LEAVE_ALONE) || !isThisWindow(attribute("target"))) return null;
  const method = (attribute("method") || "get").toUpperCase();
  const url = new URL(attribute("action") || here.href, form.baseURI ?? here);
  if (method === "DIALOG" || !isInApp(url, here)) return null;
  const data = new FormData(form, submitter);
  if (method !== "GET") {
    const isMultipart = attribute("enctype")?.toLowerCase() === "multipart/form-data" || hasFile(data);
    return { url, init: { method, body: isMultipart ? data : textOfFields(data) } };
  }
  url.search = textOfFields(data).toString();
  url.hash = "";
  return { url, init: {} };
}

function hasFile(data) {
  return [...data.values()].some((value) => typeof value !== "string" && value.size > 0);
}

/** A form's fields as HTML sends them by default: a file is only its name. */
function textOfFields(data) {
  const fields = new URLSearchParams();
  for (const [name, value] of data) fields.append(name, typeof value === "string" ? value : value.name);
  return fields;
}

/**
 * The request that an event of the Navigation API stands for, or null where it is the browser's.
 * @param {NavigateEvent} event
 * @param {URL} here
 * @returns {Move | null}
 */
export function navigateMove(event, here) {
  if (!event.canIntercept || event.hashChange || event.downloadRequest !== null) return null;
  if (event.navigationType === "reload" || event.sourceElement?.hasAttribute?.(LEAVE_ALONE)) return null;
  // What the page itself puts into the history is there already.
  if (event.destination.sameDocument && event.navigationType !== "traverse") return null;
  const url = new URL(event.destination.url);
  if (!isInApp(url, here)) return null;
  return { url, init: event.formData === null ? {} : { method: "POST", body: event.formData } };
}
