// A state with a `Location` leads the page elsewhere.

import { pageAt } from "./navigation.js";

/** What a state with a `Location` means to a browser. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 20;

/** How many there were since something was shown. */
let count = 0;
document.addEventListener("liveline:state", () => count = 0);

/**
 * Goes where a state leads, if it leads anywhere.
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
