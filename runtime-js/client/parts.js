// Loads the parts of the app. A network that fails for a moment must not leave a page without one of them.

/** How often a part is asked for. The pauses between grow from half a second to eight seconds. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 500;

/**
 * Makes a loader ask again where a request failed.
 * @param {(part: string, query: string) => Promise<object>} load imports a part; browsers keep what failed under its
 * URL, so that each further request has a query of its own
 * @returns {import("./app.js").Load}
 */
export function persistent(load) {
  return async (part) => {
    for (let attempt = 1, query = ""; ; attempt += 1, query = `?attempt=${attempt}`) {
      try {
        return await load(part, query);
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  };
}
