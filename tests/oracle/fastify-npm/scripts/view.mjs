export const application = "view";

export const scripts = {
  "templates": async (t) => {
    await t.get("/?name=ada");
    await t.get("/");
    await t.get("/text");
    t.note("absent", (await t.ask("GET", "/absent")).status);
  },
};
