export const application = "rate-limit";

/** Whole seconds until the window ends differ by one from run to run. */
const times = (t) => {
  for (const seconds of ["600", "599", "598"]) t.hide(`"${seconds}"`, "seconds");
};
const many = async (t, path, count, headers) => {
  for (let n = 0; n < count; n += 1) {
    const answer = await t.ask("GET", path, { headers });
    t.note(`${path} ${n + 1}`, [answer.status, answer.text, answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"], answer.headers["retry-after"] !== undefined]);
  }
};

export const scripts = {
  "requests over the limit": async (t) => {
    times(t);
    await many(t, "/", 4, { "x-key": "a" });
    await many(t, "/", 1, { "x-key": "b" });
  },
  "limits of routes": async (t) => {
    times(t);
    await many(t, "/more", 5, { "x-key": "c" });
    await many(t, "/free", 4, { "x-key": "c" });
    await many(t, "/nowhere", 3, { "x-key": "d" });
  },
};
