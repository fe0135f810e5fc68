// The pages that show the states of paths. The host is asked once for each path.

const HEADER = "X-Live-Page";
const ADDRESS = "/.liveline/page";

/** The host's answers, by path. @type {Map<string, string>} */
const known = new Map();

/**
 * The page that shows the states of a path; "" for none.
 * @param {string} pathname
 * @param {string} likely the result if the host cannot be reached
 */
export async function pageOf(pathname, likely) {
  if (known.has(pathname)) return known.get(pathname);
  try {
    const { ok, headers } = await fetch(ADDRESS + pathname);
    if (!ok) return likely;
    known.set(pathname, headers.get(HEADER) ?? "");
    return known.get(pathname);
  } catch {
    return likely;
  }
}
