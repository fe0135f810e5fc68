export const application = "under-pressure";

export const scripts = {
  "health": async (t) => {
    await t.get("/");
    await t.get("/alive");
    await t.request("POST", "/health/bad");
    await t.until(async () => (await t.ask("GET", "/")).status === 503, "the check of health");
    await t.get("/");
    await t.get("/alive");
  },
};
