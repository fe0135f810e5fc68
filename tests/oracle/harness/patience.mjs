// How long the harness waits, and for what.

/** How long one answer, frame or condition may take, in milliseconds: a loaded machine is slow, a failure rare. */
export const PATIENCE = Number(process.env.LIVELINE_ORACLE_PATIENCE ?? 30_000);

/** The promise's result, or an error that names `what` was waited for. */
export async function within(promise, what, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${patience / 1000} s`)), patience);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `probe` until its result is neither undefined, null nor false, and returns that. Errors of the last call count. */
export async function until(probe, what = "the condition", patience = PATIENCE) {
  const end = Date.now() + patience;
  let pause = 5;
  for (;;) {
    let failure;
    try {
      const result = await probe();
      if (result !== undefined && result !== null && result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > end) throw new Error(`${what} did not come true within ${patience / 1000} s`, { cause: failure });
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, 200);
  }
}
