// Which page belongs to a path. Only the host knows; it is asked once for each.

const HEADER = "X-Live-Page";
const ADDRESS = "/.liveline/page";

/** The host's answers, by path. @type {Map<string, string>} */
const known = new Map();

/**
 * The page that shows the states of a path; "" for none.
 * @param {string} pathname
 * @param {string} likely what it is where the host cannot be asked
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
