export const application = "order";

export const scripts = {
  "plugins, after and ready run in order": async (t) => {
    await t.get("/log");
  },
  "an instance knows its prefix and the version": async (t) => {
    await t.get("/name");
    await t.get("/two/in-second");
    await t.get("/in-second");
  },
};
