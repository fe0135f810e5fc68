// The forms and navigations that the app handles, and their requests.

/** An attribute of links and forms that the browser handles. */
export const LEAVE_ALONE = "webflo-no-intercept";

/** The prefix of paths that only the host answers. */
const HOST_PATH = "/.liveline/";

/**
 * A request of the app.
 * @typedef {object} Move
 * @property {URL} url
 * @property {RequestInit} init
 */

/** The URL of a page. Throws for a `javascript:` address, which is code. */
export function pageAt(address, base) {
  const url = new URL(address, base);
  if (url.protocol === "javascript:") throw new TypeError(`${url.href} is code.`);
  return url;
}

/** Whether a URL belongs to this app. */
export function isInApp(url, here) {
  return url.origin === here.origin && !url.pathname.startsWith(HOST_PATH);
}

/** Whether a navigation from `here` to `url` only scrolls within the page. */
export function isWithinPage(url, here) {
  const isSame = url.origin === here.origin && url.pathname === here.pathname && url.search === here.search;
  return isSame && url.href.includes("#") && url.hash !== here.hash;
}

/** Whether a `target` attribute names its own window. */
export function isThisWindow(target) {
  return target === null || target === "" || target === "_self" || target.startsWith("_webflo:");
}

/**
 * The request of a form, or null if the browser sends it. Attributes of the pressed button override those of the form.
 * Any method may be given, not only those that HTML has.
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

/** A form's fields as HTML sends them by default: the name in place of a file. */
function textOfFields(data) {
  const fields = new URLSearchParams();
  for (const [name, value] of data) fields.append(name, typeof value === "string" ? value : value.name);
  return fields;
}

/**
 * The request of a NavigateEvent, or null if the browser sends it.
 * @param {NavigateEvent} event
 * @param {URL} here
 * @returns {Move | null}
 */
export function navigateMove(event, here) {
  if (!event.canIntercept || event.hashChange || event.downloadRequest !== null) return null;
  if (event.navigationType === "reload" || event.sourceElement?.hasAttribute?.(LEAVE_ALONE)) return null;
  // Entries that the page itself adds to the history need no request.
  if (event.destination.sameDocument && event.navigationType !== "traverse") return null;
  const url = new URL(event.destination.url);
  if (!isInApp(url, here)) return null;
  return { url, init: event.formData === null ? {} : { method: "POST", body: event.formData } };
}
