// Redirects of the page by states with a `Location`.

import { pageAt } from "./navigation.js";

/** The statuses with which a `Location` is a redirect. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 20;

/** The number of redirects since a state was shown. */
let count = 0;
document.addEventListener("liveline:state", () => count = 0);

/**
 * Navigates to the `Location` of a state, if its status is a redirect.
 * @param {import("../live_response/live_response.js").LiveResponse} live
 * @param {(url: URL) => Promise<unknown>} go
 */
export async function redirect(live, go) {
  if (!REDIRECTS.has(live.status)) return;
  const target = live.headers.get("location");
  count += 1;
  if (count > MAX_REDIRECTS) throw new Error(`More than ${MAX_REDIRECTS} redirects; the last was to ${target}`);
  await go(pageAt(target, location.href));
}
