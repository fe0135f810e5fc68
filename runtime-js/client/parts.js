// Loads the parts of the app, with retries for a network that fails for a moment.

/** How often a part is requested. The pauses between grow from half a second to eight seconds. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 500;

/**
 * Adds retries to a loader.
 * @param {(part: string, query: string) => Promise<object>} load imports a part; browsers keep a failed import under
 * its URL, so each retry has a query of its own
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
